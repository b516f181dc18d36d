package text

import (
	"context"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nicksnyder/go-i18n/v2/i18n"

	"github.com/stowage/stowage/image"
)

// errorTitles holds the title of each kind of failure.
var ErrorTitles = map[image.Kind]MessageID{
	image.Internal:     "error.internal",
	image.Invalid:      "error.invalid",
	image.NotFound:     "error.not_found",
	image.NoPlatform:   "error.no_platform",
	image.Unauthorized: "error.unauthorized",
	image.SignIn:       "error.sign_in",
	image.Forbidden:    "error.forbidden",
	image.RateLimited:  "error.rate_limited",
	image.Unavailable:  "error.unavailable",
	image.NotImage:     "error.not_image",
	image.Corrupt:      "error.corrupt",
	image.TooLarge:     "error.too_large",
	image.Conflict:     "error.conflict",
	image.DiskFull:     "error.disk_full",
	image.ReadOnly:     "error.read_only",
	image.Damaged:      "error.damaged",
	image.Cancelled:    "error.cancelled",
}

// ErrorTitle returns the title of a kind of failure, in the context's language. An unknown kind is internal.
func ErrorTitle(ctx context.Context, kind image.Kind) string {
	id, ok := ErrorTitles[kind]
	if !ok {
		id = ErrorTitles[image.Internal]
	}
	return T(ctx, id)
}

// ErrorText words an error's message or suggestion as a sentence in the context's language. The English text
// is the error's own; the others stand in locales/errors*.LANGUAGE.toml under the English format, with {1} for
// its first argument. What has no translation there is shown in English. Hidden characters, as a hostile
// argument may have them, are written as Visible does.
func ErrorText(ctx context.Context, t image.Text) string {
	if s, ok := translate(Lang(ctx), t); ok {
		return Visible(s)
	}
	return Visible(sentence(t))
}

// translate words a text, and the texts among its arguments, in a language other than English.
func translate(lang string, t image.Text) (text string, ok bool) {
	if t.Format == "" || lang == English {
		return "", false
	}
	text, err := localizers()[lang].Localize(&i18n.LocalizeConfig{MessageID: t.Format})
	if err != nil {
		return "", false
	}
	pairs := make([]string, 0, 2*len(t.Args))
	for i, a := range t.Args {
		value, ok := translate(lang, a)
		if !ok {
			value = a.String()
		}
		pairs = append(pairs, "{"+strconv.Itoa(i+1)+"}", value)
	}
	return strings.NewReplacer(pairs...).Replace(text), true // in one pass: an argument may hold {1} itself
}

// sentence makes a sentence of an English text, which begins in lower case and has no full stop as errors in
// Go do. What it begins with is left as it is where that is an argument: a name, a digest, something quoted.
func sentence(t image.Text) string {
	s := t.String()
	if beginsWithWords(t) {
		first, size := utf8.DecodeRuneInString(s)
		s = string(unicode.ToUpper(first)) + s[size:]
	}
	if s == "" || strings.HasSuffix(s, ".") || strings.HasSuffix(s, "!") || strings.HasSuffix(s, "?") ||
		strings.HasSuffix(s, "…") {
		return s
	}
	return s + "."
}

// beginsWithWords reports whether a text begins with words of ours and not with a value.
func beginsWithWords(t image.Text) bool {
	if strings.HasPrefix(t.Format, "%") {
		return len(t.Args) > 0 && beginsWithWords(t.Args[0])
	}
	return t.Format != ""
}
