package auth

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
)

func TestATokenIsKnownByItsForm(t *testing.T) {
	form := regexp.MustCompile(`^stw_[0-9A-Za-z]{49}$`)
	seen := map[string]bool{}
	for range 200 {
		token := newToken()
		if !form.MatchString(token) || !IsToken(token) || seen[token] {
			t.Fatalf("%q", token)
		}
		seen[token] = true
	}
	token := newToken()
	for i := range token {
		for _, c := range []byte("0aZ-") {
			other := token[:i] + string(c) + token[i+1:]
			if other != token && IsToken(other) {
				t.Errorf("%q is taken for a token, with %q changed", other, token[i])
			}
		}
	}
	for _, s := range []string{"", "stw_", token[:len(token)-1], token + "0", " " + token, strings.ToUpper(token)} {
		if IsToken(s) {
			t.Errorf("%q is taken for a token", s)
		}
	}
}

func TestACodeIsReadHoweverItIsTyped(t *testing.T) {
	code := newCode()
	if !regexp.MustCompile(`^[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}$`).MatchString(code) {
		t.Errorf("code %q", code)
	}
	for _, typed := range []string{
		"ABCD-EFGH-JK23", "abcd efgh jk23", " ABCDEFGHJK23\n", "First start code: ABCD-EFGH-JK23", "ab-cd-ef-gh-jk-23",
	} {
		if got, err := readCode(typed); got != "ABCDEFGHJK23" || err != nil {
			t.Errorf("%q: %q, %v", typed, got, err)
		}
	}
	for _, typed := range []string{
		"", "ABCD-EFGH-JK2", "ABCD-EFGH-JK234", "ABCD-EFGH-JK20", "ABCD-EFGH-JKI3", "ABCD_EFGH_JK23",
	} {
		if got, err := readCode(typed); image.KindOf(err) != image.Invalid {
			t.Errorf("%q: %q, %v", typed, got, err)
		}
	}
}
