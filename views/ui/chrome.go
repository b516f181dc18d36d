// Package ui has what every page is made of: layout, components, icons, names and commands.
package ui

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/text"
)

// Chrome is what the layout around every page needs. Handlers fill it once per request; the language
// comes from the context (WithLocale).
type Chrome struct {
	Title       string     // of the page alone; the product's name is added
	Active      Nav        // the navigation item that is current
	Theme       Theme      // what the person chose
	ActivePulls int        // queued and running pulls, shown beside Pulls
	Path        string     // path and query of this page, where the preference forms return to
	Query       string     // text in the header's search box
	Flash       Flash      // what the action before this page came to
	RequestID   string     // of this request, for <meta name="request-id">
	Demo        bool       // the server runs on sample data that it forgets
	Trouble     *ErrorView // what is wrong with the database or the data folder; nil where nothing is known
	Person      *Person    // who is signed in; nil where nobody is, as where there are no accounts
	Refresh     int        // seconds after which browsers without scripting load the page again; 0 means never
}

// Flash is one message about the action that led to a page. Empty text shows nothing.
type Flash struct {
	Kind  Kind
	Text  string
	Undo  int64     // the removal that it is about; 0 where there is nothing to undo
	Until time.Time // until when it can be undone
}

// ParseKind reads a kind. Anything unknown is KindNeutral.
func ParseKind(s string) Kind {
	if _, ok := alertClasses[Kind(s)]; ok {
		return Kind(s)
	}
	return KindNeutral
}

// Theme is a person's choice of light or dark.
type Theme string

// The themes. The names are those of static/src/app.css.
const (
	ThemeSystem Theme = "" // as the operating system says
	ThemeLight  Theme = "light"
	ThemeDark   Theme = "dark"
)

// ParseTheme reads a theme from a cookie or a form. Anything unknown is ThemeSystem.
func ParseTheme(s string) Theme {
	switch t := Theme(s); t {
	case ThemeLight, ThemeDark:
		return t
	}
	return ThemeSystem
}

// themeChoices is the theme menu.
var themeChoices = []struct {
	theme Theme
	label text.MessageID
	icon  IconName
}{
	{ThemeSystem, "preferences.theme_system", IconSystem},
	{ThemeLight, "preferences.theme_light", IconSun},
	{ThemeDark, "preferences.theme_dark", IconMoon},
}

// themeIcon returns the icon of the chosen theme.
func themeIcon(t Theme) IconName {
	for _, c := range themeChoices {
		if c.theme == t {
			return c.icon
		}
	}
	return IconSystem
}

// Nav names an item of the main navigation.
type Nav string

// The items. NavNone marks pages that belong to none, such as errors.
const (
	NavNone    Nav = ""
	NavImages  Nav = "images"
	NavSearch  Nav = "search"
	NavPulls   Nav = "pulls"
	NavStorage Nav = "storage"
	NavAdmin   Nav = "admin"
)

// navItems is the main navigation, in order. A new item is one line here.
var navItems = []struct {
	nav   Nav
	url   string
	label text.MessageID
	icon  IconName
}{
	{NavImages, address.ImagesPath, "nav.images", IconImage},
	{NavSearch, address.SearchPath, "nav.search", IconSearch},
	{NavPulls, address.PullsPath, "nav.pulls", IconPull},
	{NavStorage, address.StoragePath, "storage.title", IconStorage},
}

// Kind says how something stands, and so in which colour a badge, an alert or a bar is shown.
type Kind string

// The kinds.
const (
	KindNeutral Kind = "neutral"
	KindPrimary Kind = "primary"
	KindInfo    Kind = "info"
	KindSuccess Kind = "success"
	KindWarning Kind = "warning"
	KindError   Kind = "error"
	KindAccent  Kind = "accent"
)

// The classes are written out, since the style sheet holds only the ones that stand in the source.
var (
	BadgeClasses = map[Kind]string{
		KindNeutral: "badge badge-sm badge-quiet",
		KindPrimary: "badge badge-sm badge-soft badge-primary",
		KindInfo:    "badge badge-sm badge-soft badge-info",
		KindSuccess: "badge badge-sm badge-soft badge-success",
		KindWarning: "badge badge-sm badge-soft badge-warning",
		KindError:   "badge badge-sm badge-soft badge-error",
		KindAccent:  "badge badge-sm badge-soft badge-accent",
	}
	alertClasses = map[Kind]string{
		KindNeutral: "alert alert-soft",
		KindPrimary: "alert alert-soft alert-info",
		KindInfo:    "alert alert-soft alert-info",
		KindSuccess: "alert alert-soft alert-success",
		KindWarning: "alert alert-soft alert-warning",
		KindError:   "alert alert-soft alert-error",
		KindAccent:  "alert alert-soft alert-warning",
	}
	progressClasses = map[Kind]string{
		KindNeutral: "progress progress-quiet",
		KindPrimary: "progress progress-primary",
		KindInfo:    "progress progress-info",
		KindSuccess: "progress progress-success",
		KindWarning: "progress progress-warning",
		KindError:   "progress progress-error",
		KindAccent:  "progress progress-accent",
	}
	alertIcons = map[Kind]IconName{
		KindSuccess: IconCheck,
		KindWarning: IconWarning,
		KindError:   IconWarning,
		KindAccent:  IconWarning,
	}
)

// class looks a kind up, taking an unknown one as neutral.
func Class(classes map[Kind]string, k Kind) string {
	if c, ok := classes[k]; ok {
		return c
	}
	return classes[KindNeutral]
}

// alertIcon returns the icon of an alert.
func alertIcon(k Kind) IconName {
	if icon, ok := alertIcons[k]; ok {
		return icon
	}
	return IconInfo
}

// alertRole makes assistive technology speak up for what went wrong, and wait with the rest.
func alertRole(k Kind) string {
	if k == KindError || k == KindWarning {
		return "alert"
	}
	return "status"
}

// agesJSON returns the texts of ages to static/app.js, which refreshes them.
func agesJSON(ctx context.Context) string {
	words := make(map[string]string, len(text.AgeWords))
	for word, id := range text.AgeWords {
		words[word] = text.T(ctx, id)
	}
	b, err := json.Marshal(words)
	if err != nil { // a map of strings always marshals
		return "{}"
	}
	return string(b)
}

// pageNumbers returns the pages that a pagination names: the first, the last and those around the current
// one. 0 stands for a gap.
func pageNumbers(page, pages int) []int {
	var numbers []int
	last := 0
	for n := 1; n <= pages; n++ {
		if n != 1 && n != pages && (n < page-1 || n > page+1) {
			continue
		}
		if n == last+2 {
			numbers = append(numbers, n-1)
		} else if n > last+2 {
			numbers = append(numbers, 0)
		}
		numbers = append(numbers, n)
		last = n
	}
	return numbers
}

// itoa is short for templates.
func Itoa(n int64) string { return strconv.FormatInt(n, 10) }

// NewErrorView returns what people are shown of an error, in the context's language.
func NewErrorView(ctx context.Context, status int, e *image.Error) ErrorView {
	return ErrorView{Status: status, Title: text.ErrorTitle(ctx, e.Kind), Message: text.ErrorText(ctx, e.Text()),
		Suggestion: text.ErrorText(ctx, e.Advice())}
}
