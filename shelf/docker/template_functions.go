package docker

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"text/template"

	"github.com/stowage/stowage/image"
)

const (
	maxWorked    = 8 << 20 // bytes that one function may make, by a generous estimate before it begins
	stringHeader = 16      // bytes that a text takes beside itself
	escaped      = 6       // times that escaping makes a text longer, at most: a byte as \u0000
	maxWidth     = 1 << 20 // of a verb; package fmt has a limit below that
)

// dockerFunctions are docker's functions for templates (docker/cli, templates/templates.go) and those of text/template
// that make texts, each one bounded: a variable can be doubled in a loop, and a width can be a million.
func (r *templateRun) dockerFunctions() template.FuncMap {
	return template.FuncMap{
		"json": func(v any) (string, error) {
			if err := r.work(cost(v)); err != nil {
				return "", err
			}
			var b strings.Builder
			e := json.NewEncoder(&b)
			e.SetEscapeHTML(false)
			if err := e.Encode(v); err != nil {
				return "", err
			}
			return r.made(strings.TrimSpace(b.String()))
		},
		"split": func(s, sep string) ([]string, error) {
			n := (strings.Count(s, sep) + 1) * stringHeader
			if err := r.work(n); err != nil {
				return nil, err
			}
			if r.texts += n; r.texts > r.limits.texts { // a variable keeps each list until its block ends
				return nil, r.stop(r.textError())
			}
			return strings.Split(s, sep), nil
		},
		"join": func(elements []string, sep string) (string, error) {
			n := len(sep) * len(elements)
			for _, e := range elements {
				n += len(e)
			}
			if err := r.work(n); err != nil {
				return "", err
			}
			return r.made(strings.Join(elements, sep))
		},
		"title": func(s string) (string, error) {
			return r.changed(strings.Title, s) //nolint:staticcheck // docker's choice
		},
		"lower": func(s string) (string, error) { return r.changed(strings.ToLower, s) },
		"upper": func(s string) (string, error) { return r.changed(strings.ToUpper, s) },
		"pad": func(s string, prefix, suffix int) (string, error) {
			if s == "" {
				return "", nil
			}
			if most := r.limits.text; prefix > most || suffix > most {
				return "", r.stop(r.textError())
			}
			return r.made(strings.Repeat(" ", prefix) + s + strings.Repeat(" ", suffix))
		},
		"truncate": func(s string, length int) string {
			if len(s) < length {
				return s
			}
			return s[:length]
		},
		"printf": func(format string, args ...any) (string, error) {
			if err := r.work(costOfFormat(format, args)); err != nil {
				return "", err
			}
			return r.made(fmt.Sprintf(format, args...))
		},
		"print":    r.printer(fmt.Sprint),
		"println":  r.printer(fmt.Sprintln),
		"html":     r.printer(template.HTMLEscaper),
		"js":       r.printer(template.JSEscaper),
		"urlquery": r.printer(template.URLQueryEscaper),
	}
}

// functions are docker's, and the guards that parseTemplate puts in.
func (r *templateRun) functions() template.FuncMap {
	all := r.dockerFunctions()
	all[guardTick] = func() (string, error) { return "", r.tick() }
	all[guardEnter] = r.enter
	all[guardLeave] = r.leave
	return all
}

// work allows a function to make up to n bytes.
func (r *templateRun) work(n int) error {
	if err := r.tick(); err != nil {
		return err
	}
	if n < 0 || n > maxWorked {
		return r.stop(r.textError())
	}
	return nil
}

// made passes on a text that a function made.
func (r *templateRun) made(s string) (string, error) {
	if r.texts += len(s); len(s) > r.limits.text || r.texts > r.limits.texts {
		return "", r.stop(r.textError())
	}
	return s, nil
}

// changed is a text that became another of about its length.
func (r *templateRun) changed(f func(string) string, s string) (string, error) {
	if err := r.work(len(s) * 3); err != nil { // a rune may take up to three times its bytes in the other case
		return "", err
	}
	return r.made(f(s))
}

// printer bounds one of the functions that print any values.
func (r *templateRun) printer(f func(...any) string) func(...any) (string, error) {
	return func(args ...any) (string, error) {
		n := 0
		for _, a := range args {
			n = min(n+cost(a), maxWorked+1)
		}
		if err := r.work(n); err != nil {
			return "", err
		}
		return r.made(f(args...))
	}
}

func (r *templateRun) textError() error {
	return image.Errorf(image.Invalid, "the template makes a text of more than %d bytes", r.limits.text)
}

// costOfFormat estimates what printf makes: the widths and precisions in the format or given as arguments, and for
// each verb the longest argument, since a verb may name any.
func costOfFormat(format string, args []any) int {
	n, longest, stars := len(format), 0, strings.Count(format, "*")
	for _, a := range args {
		longest = max(longest, cost(a))
	}
	for number, inNumber := 0, false; format != ""; format = format[1:] {
		if c := format[0]; c >= '0' && c <= '9' {
			number, inNumber = min(number*10+int(c-'0'), maxWidth), true
			continue
		}
		if inNumber {
			n += number
		}
		number, inNumber = 0, false
		if format[0] == '%' {
			n += longest + 32 // what fmt says of a missing or a wrong argument
		}
		if n > maxWorked {
			return n
		}
	}
	return n + stars*maxWidth
}

// cost estimates the bytes of a value that is printed or encoded.
func cost(v any) int { return costOf(reflect.ValueOf(v), 0) }

func costOf(v reflect.Value, depth int) int {
	const deepest = 20
	n := stringHeader * 2
	add := func(more int) bool { // tells whether the sum is still worth continuing
		n = min(n+more, maxWorked+1)
		return n <= maxWorked
	}
	if !v.IsValid() || depth > deepest {
		return n
	}
	switch v.Kind() {
	case reflect.String:
		add(v.Len() * escaped)
	case reflect.Interface, reflect.Pointer:
		add(costOf(v.Elem(), depth+1))
	case reflect.Slice, reflect.Array:
		for i := 0; i < v.Len() && add(costOf(v.Index(i), depth+1)); i++ {
		}
	case reflect.Map:
		for entries := v.MapRange(); entries.Next() && add(costOf(entries.Key(), depth+1)+costOf(entries.Value(), depth+1)); {
		}
	case reflect.Struct:
		for i := 0; i < v.NumField() && add(len(v.Type().Field(i).Name)+costOf(v.Field(i), depth+1)); i++ {
		}
	}
	return n
}
