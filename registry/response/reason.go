package response

import (
	"bytes"
	"cmp"
	"encoding/json"
	"html"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	maxReasons = 3   // of the errors that one answer lists
	maxReason  = 400 // characters of what is shown of them
)

// reasonOf returns the code and the words of an answer that is no success, in whichever form its sender put them: the
// specification's errors, some other JSON, a web page's title, a bucket's XML, plain text. Both may be empty.
func reasonOf(media string, raw []byte) (code, said string) {
	raw = bytes.TrimSpace(bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf")))
	switch {
	case len(raw) == 0 || !utf8.Valid(raw[:min(len(raw), utf8.UTFMax)]) && !utf8.Valid(raw):
		return "", ""
	case raw[0] == '{' || raw[0] == '[':
		var answer any
		if json.Unmarshal(raw, &answer) == nil {
			return jsonReason(answer)
		}
	case raw[0] == '<':
		return "", markupReason(string(raw))
	case media == "text/plain" || media == "" || media == "application/json":
		return "", string(raw)
	}
	return "", ""
}

// reasonKeys are where the words of an error stand, the best first.
var reasonKeys = []string{"message", "details", "detail", "error_description", "error", "msg", "reason", "title",
	"errors"}

// jsonReason finds the words of a JSON answer.
func jsonReason(answer any) (code, said string) {
	object, _ := answer.(map[string]any)
	if object == nil {
		return listReason(answer)
	}
	if code, said = listReason(object["errors"]); code != "" || said != "" {
		return code, said
	}
	code = textOf(object["code"])
	for _, key := range reasonKeys {
		if inner, ok := object[key].(map[string]any); ok {
			innerCode, innerSaid := jsonReason(inner)
			code, said = cmp.Or(code, innerCode), innerSaid
		} else {
			said = textOf(object[key])
		}
		if said != "" {
			break
		}
	}
	return code, said
}

// listReason reads a list of errors: objects or texts.
func listReason(list any) (code, said string) {
	all, _ := list.([]any)
	var reasons []string
	for _, one := range all {
		oneCode, oneSaid := "", textOf(one)
		if object, ok := one.(map[string]any); ok {
			oneCode, oneSaid = jsonReason(object)
		}
		code = cmp.Or(code, oneCode)
		if oneSaid != "" && len(reasons) < maxReasons && !slices.Contains(reasons, oneSaid) {
			reasons = append(reasons, oneSaid)
		}
	}
	return code, strings.Join(reasons, "; ")
}

func textOf(v any) string {
	s, _ := v.(string)
	return strings.TrimSpace(s)
}

var (
	// titles are where documents in markup say what they are about, the best first.
	titles = []*regexp.Regexp{
		regexp.MustCompile(`(?is)<message[^>]*>(.*?)</message>`), // a bucket's
		regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`),
		regexp.MustCompile(`(?is)<h1[^>]*>(.*?)</h1>`),
		regexp.MustCompile(`(?is)<code[^>]*>(.*?)</code>`),
	}
	markup = regexp.MustCompile(`(?s)<[^>]*>`)
)

func markupReason(page string) string {
	for _, title := range titles {
		if found := title.FindStringSubmatch(page); found != nil {
			if text := strings.TrimSpace(html.UnescapeString(markup.ReplaceAllString(found[1], " "))); text != "" {
				return text
			}
		}
	}
	return ""
}
