package main

import (
	"errors"
	"strings"
	"testing"
)

// A password that somebody pasted into a name stands in no line of the log, whatever repeats it; digests do.
func TestTheLogHasNoPasswords(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		var out strings.Builder
		log := newLogger(&out, format, "info")
		log.Warn("pull failed", "upload", "bob:s3cret@x", "error", errors.New(`"bob:s3cret@x/y:1" is not an image reference`))
		log.Info("a message", "address", "https://bob:s3cret@registry.example/v2/", "cause", error(nil))
		log.With("reference", "bob:s3cret@sha256.example/x").Info("bound before")
		log.Info("kept", "reference", "registry.example:5000/x:1.2@sha256:abc")
		if got := out.String(); strings.Contains(got, "s3cret") {
			t.Errorf("%s: the log has the password:\n%s", format, got)
		}
		for _, kept := range []string{"...@x", "https://...@registry.example/v2/", "...@sha256.example/x",
			"registry.example:5000/x:1.2@sha256:abc"} {
			if !strings.Contains(out.String(), kept) {
				t.Errorf("%s: the log lacks %s:\n%s", format, kept, out.String())
			}
		}
	}
}
