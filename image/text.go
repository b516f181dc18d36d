package image

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Text is a text that people may be shown in their language: a format of fmt, which is the key of its
// translations, and its arguments, each one formatted by its own verb when the text was made. It can be kept
// as JSON. The zero Text is empty.
type Text struct {
	Format string `json:"format,omitempty"` // empty for what nobody translates: a name, a digest, a number
	Args   []Text `json:"args,omitempty"`   // one for each verb of Format
	Value  string `json:"value,omitempty"`  // the text itself where Format is empty; may be hostile
}

// Plain is the text that is the same in every language.
func Plain(s string) Text { return Text{Value: s} }

// Textf makes a Text. Write the format as a literal, without argument indexes and without * for a width: a
// test reads the source and holds the translations against it. An argument that is a Text or an Error is
// translated with the text around it.
func Textf(format string, args ...any) Text {
	t := Text{Format: format}
	_, verbs := splitFormat(format)
	for i, arg := range args {
		if i == len(verbs) {
			break // one too many, as go vet says
		}
		t.Args = append(t.Args, argument(verbs[i], arg))
	}
	return t
}

// argument formats one argument by its verb.
func argument(verb string, arg any) Text {
	switch a := arg.(type) {
	case Text:
		return a
	case *Error:
		return a.Text()
	}
	if name, found := strings.CutSuffix(verb, "w"); found { // %w is %v outside of fmt.Errorf
		verb = name + "v"
	}
	return Plain(fmt.Sprintf(verb, arg))
}

// String returns the English text.
func (t Text) String() string {
	if t.Format == "" {
		return t.Value
	}
	args := make([]string, len(t.Args))
	for i, a := range t.Args {
		args[i] = a.String()
	}
	var b strings.Builder
	between, _ := splitFormat(t.Format)
	for i, s := range between {
		b.WriteString(s)
		if i < len(args) {
			b.WriteString(args[i])
		}
	}
	return b.String()
}

// Empty reports whether t says nothing.
func (t Text) Empty() bool { return t.Format == "" && t.Value == "" }

// Or returns t, or s as it is where t is empty, as in what was kept before texts were.
func (t Text) Or(s string) Text {
	if t.Empty() {
		return Plain(s)
	}
	return t
}

// UnmarshalJSON implements json.Unmarshaler. A plain string, as records held before texts were, is the text itself.
func (t *Text) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '"' {
		*t = Text{}
		return json.Unmarshal(raw, &t.Value)
	}
	type plain Text
	return json.Unmarshal(raw, (*plain)(t))
}

// splitFormat returns a format's verbs, with their flags, and the texts before, between and after them, in
// which %% has become %.
func splitFormat(format string) (between, verbs []string) {
	var text strings.Builder
	for {
		before, after, found := strings.Cut(format, "%")
		text.WriteString(before)
		if !found {
			return append(between, text.String()), verbs
		}
		end := strings.IndexFunc(after, func(r rune) bool { return !strings.ContainsRune("+-# 0123456789.", r) })
		if end < 0 { // a percent sign at the end, which is no verb
			return append(between, text.String()+"%"+after), verbs
		}
		if after[end] == '%' {
			text.WriteByte('%')
		} else {
			between, verbs = append(between, text.String()), append(verbs, "%"+after[:end+1])
			text.Reset()
		}
		format = after[end+1:]
	}
}
