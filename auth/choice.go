package auth

import (
	_ "embed"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/stowage/stowage/image"
)

// Bounds of a password. There are no rules of what has to be in it, and none expires.
const (
	MinPassword = 12   // characters
	maxPassword = 1024 // bytes
)

//go:embed leaked.txt
var leakedText string

// leaked are passwords that everybody tries first, in small letters; shorter ones are refused for their length.
var leaked = sync.OnceValue(func() map[string]bool {
	_, list, _ := strings.Cut(leakedText, "\n---\n")
	known := map[string]bool{}
	for word := range strings.Lines(list) {
		known[strings.TrimSpace(word)] = true
	}
	return known
})

// usual are what people put figures and signs around.
var usual = []string{
	"password", "passwort", "admin", "administrator", "welcome", "letmein", "changeme", "secret", "qwerty",
	"docker", "registry", "stowage", "비밀번호",
}

// CheckPassword refuses a password that is too short, or that would be tried first, for the account called name.
func CheckPassword(password, name string) error {
	password = norm.NFC.String(password)
	if !utf8.ValidString(password) || len(password) > maxPassword {
		return image.Errorf(image.Invalid, "a password is text of at most %d bytes", maxPassword)
	}
	if n := utf8.RuneCountInString(password); n < MinPassword {
		return image.Errorf(image.Invalid, "a password has at least %d characters, and this one has %d", MinPassword, n).
			Suggest("Some words that do not belong together are easy to keep in mind.")
	}
	small := strings.ToLower(password)
	if leaked()[small] || repeats(small) || decorates(small, append(usual, strings.ToLower(name))) {
		return image.Errorf(image.Invalid, "this password is among those that are tried first").
			Suggest("Some words that do not belong together are easy to keep in mind.")
	}
	return nil
}

// repeats reports whether s is a shorter text two times or more, or a run such as 123456789012 and abcdefghijkl.
func repeats(s string) bool {
	if strings.Contains((s + s)[1:len(s+s)-1], s) {
		return true
	}
	r := []rune(s)
	up, down := true, true
	for i := 1; i < len(r); i++ {
		step := r[i] - r[i-1]
		up = up && (step == 1 || r[i] == '0' && r[i-1] == '9')
		down = down && (step == -1 || r[i] == '9' && r[i-1] == '0')
	}
	return up || down
}

// decorates reports whether s is one of words, as often as one likes, with nothing but figures and signs in between.
func decorates(s string, words []string) bool {
	letters := onlyLetters(s)
	for _, w := range words {
		if w = onlyLetters(w); w != "" && letters != "" && strings.ReplaceAll(letters, w, "") == "" {
			return true
		}
	}
	return false
}

func onlyLetters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return r
		}
		return -1
	}, s)
}
