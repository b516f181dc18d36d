package image

import (
	"errors"
	"fmt"
	"testing"
)

func TestATextIsWhatFmtMakesOfItsFormat(t *testing.T) {
	wrapped := errors.New("too short")
	for _, tt := range []struct {
		format string
		args   []any
	}{
		{"nothing to fill in", nil},
		{"100%% of %d bytes", []any{3}},
		{"%s of %s", []any{ShortDigest(DigestOf(nil)), Reference{Repository: "docker.io/library/ubuntu", Tag: "1"}}},
		{"%q, %.3q, %5.1f|%-4d|%+d|%06.2f", []any{"a\u202e\"", "abcdef", 1.25, 7, 7, 3.14159}},
		{"%v %x %T", []any{Platform{OS: "linux", Architecture: "arm64"}, "hi", 1}},
		{"%s holds %% and {1}", []any{"50% %d {2}"}},
		{"the end: %w", []any{wrapped}},
	} {
		want := fmt.Errorf(tt.format, tt.args...).Error()
		if got := Textf(tt.format, tt.args...).String(); got != want {
			t.Errorf("%q: %q, want %q", tt.format, got, want)
		}
		e := Errorf(Invalid, tt.format, tt.args...)
		if e.Message != want || e.Error() != want || e.Text().String() != want {
			t.Errorf("%q: message %q, text %q", tt.format, e.Message, e.Text())
		}
	}
}

func TestTextsAndErrorsInATextStayTexts(t *testing.T) {
	inner := Errorf(Corrupt, "size %d is negative", -1)
	e := Errorf(Corrupt, "entry %d of %s: %w", 2, Textf("blob %s", "ab"), inner)
	if got := e.Text().Args; len(got) != 3 || got[0].Format != "" || got[1].Format != "blob %s" ||
		got[2].Format != "size %d is negative" {
		t.Errorf("%+v", got)
	}
	if e.Message != "entry 2 of blob ab: size -1 is negative" || !errors.Is(e, inner) {
		t.Errorf("message %q, cause %v", e.Message, e.Err)
	}
}

func TestATextThatWasNotKeptIsTheMessage(t *testing.T) {
	bare := &Error{Kind: Invalid, Message: "100% wrong", Suggestion: "Try %s."}
	if bare.Text().String() != "100% wrong" || bare.Advice().String() != "Try %s." {
		t.Errorf("%q, %q", bare.Text(), bare.Advice())
	}
	if got := Errorf(Invalid, "x").Advice(); got.Format != "" || got.Value != "" {
		t.Errorf("advice %+v where there is none", got)
	}
	if got := Errorf(Invalid, "x").Suggest("Try %d.", 2).Because(errors.New("y")).Advice().String(); got != "Try 2." {
		t.Errorf("advice %q", got)
	}
}
