package outside

import (
	"errors"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
)

// WantKind fails the test unless err is an image.Error of the kind, in one printable line that contains the
// texts (in its message or suggestion), and returns it.
func WantKind(t *testing.T, err error, kind image.Kind, texts ...string) *image.Error {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want kind %s", kind)
	}
	var e *image.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is a %T (%v), want an image.Error", err, err)
	}
	if e.Kind != kind {
		t.Errorf("kind is %s (%v), want %s", e.Kind, err, kind)
	}
	for _, text := range texts {
		if !strings.Contains(e.Message+"\n"+e.Suggestion, text) {
			t.Errorf("neither message %q nor suggestion %q contains %q", e.Message, e.Suggestion, text)
		}
	}
	if strings.ContainsAny(e.Message+e.Suggestion, "\n\r\x1b\x00") {
		t.Errorf("message is not one printable line: %q", e.Message+e.Suggestion)
	}
	return e
}
