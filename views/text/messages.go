package text

import (
	"context"
	"embed"
	"fmt"
	"sync"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

// The languages of the pages, as they stand in <html lang>, in the preference cookie and in the
// catalogue's file names.
const (
	English = "en"
	Korean  = "ko"
)

// Languages lists the languages that the switch offers, each with its own name for itself.
var Languages = []struct{ Code, Name string }{
	{English, "English"},
	{Korean, "한국어"},
}

// MessageID names a text of the catalogue in locales/. Write it as a literal where it is used: a test
// reads the source, so that no page asks for a text that is missing and no text is left over.
type MessageID string

// Locale is how one request's answer is worded: its language, and the moment that ages are counted to.
type Locale struct {
	Lang string    // English or Korean; anything else is taken as English
	Now  time.Time // zero means the moment of rendering
}

type localeKey struct{}

// WithLocale returns a context whose pages are worded by l. Without it they are English.
func WithLocale(ctx context.Context, l Locale) context.Context {
	return context.WithValue(ctx, localeKey{}, l)
}

// WithLang returns a context whose pages are in a language, and count ages to the moment that ctx says.
func WithLang(ctx context.Context, lang string) context.Context {
	l := localeOf(ctx)
	l.Lang = lang
	return WithLocale(ctx, l)
}

// localeOf returns the context's locale.
func localeOf(ctx context.Context) Locale {
	l, _ := ctx.Value(localeKey{}).(Locale)
	if l.Lang != Korean {
		l.Lang = English
	}
	return l
}

// Lang returns the language of ctx: English or Korean.
func Lang(ctx context.Context) string { return localeOf(ctx).Lang }

// now returns the moment that ages are counted to.
func Now(ctx context.Context) time.Time {
	if l := localeOf(ctx); !l.Now.IsZero() {
		return l.Now
	}
	return time.Now()
}

// NegotiateLang picks the language: the preference cookie's value if it is one of ours, otherwise the
// best match of the Accept-Language header, otherwise English.
func NegotiateLang(cookie, acceptLanguage string) string {
	for _, l := range Languages {
		if cookie == l.Code {
			return cookie
		}
	}
	// The header is anybody's; ParseAcceptLanguage itself refuses absurdly long ones.
	tags, _, err := language.ParseAcceptLanguage(acceptLanguage)
	if err != nil || len(tags) == 0 {
		return English
	}
	_, i, confidence := languageMatcher.Match(tags...)
	if confidence == language.No {
		return English
	}
	return Languages[i].Code
}

// languageMatcher knows Languages, in their order.
var languageMatcher = language.NewMatcher([]language.Tag{language.English, language.Korean})

// Count is the name of the value that decides between singular and plural.
const Count = "Count"

// T returns the text of a message in the context's language. Values fill the message's {{.Name}} places and
// come in pairs of name and value: T(ctx, "images.count", Count, 42, "Repos", 17). Whole numbers are
// grouped by thousands; the value named Count also picks the plural form. A message that is missing (which
// a test rules out) shows its ID.
func T(ctx context.Context, id MessageID, pairs ...any) string {
	config := i18n.LocalizeConfig{MessageID: string(id)}
	if len(pairs) > 0 {
		data := make(map[string]any, len(pairs)/2)
		for i := 0; i+1 < len(pairs); i += 2 {
			name, ok := pairs[i].(string)
			if !ok {
				continue
			}
			switch n := pairs[i+1].(type) {
			case int:
				data[name] = Grouped(int64(n))
			case int64:
				data[name] = Grouped(n)
			default:
				data[name] = n
			}
			if name == Count {
				config.PluralCount = pairs[i+1]
			}
		}
		config.TemplateData = data
	}
	text, err := localizers()[Lang(ctx)].Localize(&config)
	if err != nil && text == "" {
		return string(id)
	}
	return text
}

//go:embed locales/*.toml
var localeFiles embed.FS

// localizers holds one localizer a language, made at first use. The catalogue is part of the binary, so a
// file that cannot be read is a fault of the build and panics; a test reads them all.
var localizers = sync.OnceValue(func() map[string]*i18n.Localizer {
	bundle, err := newBundle()
	if err != nil {
		panic(fmt.Sprintf("views: %v", err))
	}
	m := make(map[string]*i18n.Localizer, len(Languages))
	for _, l := range Languages {
		m[l.Code] = i18n.NewLocalizer(bundle, l.Code)
	}
	return m
})

// newBundle reads every file of locales/. Their names are subject.language.toml.
func newBundle() (*i18n.Bundle, error) {
	bundle := i18n.NewBundle(language.English)
	bundle.RegisterUnmarshalFunc("toml", toml.Unmarshal)
	entries, err := localeFiles.ReadDir("locales")
	if err != nil {
		return nil, fmt.Errorf("list catalogue: %w", err)
	}
	for _, e := range entries {
		if _, err := bundle.LoadMessageFileFS(localeFiles, "locales/"+e.Name()); err != nil {
			return nil, fmt.Errorf("read catalogue %s: %w", e.Name(), err)
		}
	}
	return bundle, nil
}
