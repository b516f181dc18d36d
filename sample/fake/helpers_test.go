package fake_test

import (
	"sync"
	"testing"

	"github.com/stowage/stowage/sample"
)

// samples are a library whose images are built once for all tests.
var samples = sync.OnceValue(sample.Library)

func mustBuild(t *testing.T, s sample.Source) sample.Built {
	t.Helper()
	b, err := s.Build()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func fromLibrary(t *testing.T, repository, tag string) sample.Built {
	t.Helper()
	s, ok := sample.Lookup(samples(), repository, tag)
	if !ok {
		t.Fatalf("%s:%s is not in the library", repository, tag)
	}
	return mustBuild(t, s)
}
