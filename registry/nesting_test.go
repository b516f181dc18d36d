package registry

import (
	"net/http"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/test/outside"
)

// deepJSON is a JSON text with an unknown key that nests very deep.
func deepJSON(known string) []byte {
	return []byte(`{` + known + `"x":` + strings.Repeat("[", 6000) + "1" + strings.Repeat("]", 6000) + `}`)
}

func TestAnAnswerNestedDeeperThan100LevelsIsRefusedWhateverItIs(t *testing.T) {
	_, host := outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
		switch path := req.URL.Path; {
		case strings.Contains(path, "/manifests/"):
			manifest(w, ocispec.MediaTypeImageManifest, deepJSON(`"schemaVersion":2,`))
		case strings.HasSuffix(path, "/tags/list"):
			_, _ = w.Write(deepJSON(`"name":"app","tags":["1"],`))
		case path == "/v2/_catalog":
			_, _ = w.Write(deepJSON(`"repositories":["app"],`))
		default:
			_, _ = w.Write(deepJSON(`"results":[],`))
		}
	})
	tokens := newTokenRegistry(t)
	tokens.failWith(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(deepJSON(`"token":"t",`)) })
	c := client(t, Options{})
	ask := map[string]func() error{
		"a manifest": func() error { _, err := c.Document(t.Context(), mustRef(t, host+"/app:1")); return err },
		"a token":    func() error { _, err := c.Document(t.Context(), mustRef(t, tokens.host+"/app:1")); return err },
		"tags":       func() error { _, err := c.Tags(t.Context(), mustRef(t, host+"/app").Repository); return err },
	}
	for name, f := range ask {
		outside.WantKind(t, f(), image.Corrupt, "nested deeper than 100 levels")
		if t.Failed() {
			t.Fatal(name)
		}
	}
}
