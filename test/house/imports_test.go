package house

import (
	"encoding/json"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/stowage/stowage/"

// mayImport is the table of docs/architecture.md: which of our packages each of ours may import. "*" stands for all, and
// "handlers/*" for each package below handlers that has no line of its own.
var mayImport = map[string][]string{
	"cmd/stowage": {"*"},
	"test/*":      {"*"},

	"web":                   {"handlers", "handlers/page", "auth", "views/ui", "views/text", "views/address", "static", "image", "share"},
	"handlers":              {"handlers/*", "archive", "job", "pull", "pull/*", "registry", "registry/search", "image"},
	"handlers/page":         {"auth", "views/ui", "views/text", "views/address", "shelf", "image"},
	"handlers/*":            {"auth", "handlers/page", "handlers/lookup", "views/*", "shelf", "shelf/docker", "shelf/removal", "job", "pull", "pull/*", "registry", "registry/*", "archive", "image", "image/layer", "share"},
	"handlers/people":       {"handlers/page", "auth", "views/people", "views/ui", "views/text", "views/address", "shelf", "image"},
	"handlers/distribution": {"auth", "pull/mirror", "shelf", "image"},
	"views/text":            {"image"},
	"views/address":         {"shelf", "shelf/docker", "image"},
	"views/ui":              {"auth", "views/text", "views/address", "shelf", "shelf/docker", "image", "static"},
	"views/people":          {"auth", "views/ui", "views/text", "views/address", "shelf", "image"},
	"views/*":               {"archive", "views/ui", "views/marks", "views/offer", "views/text", "views/address", "shelf", "shelf/docker", "shelf/removal", "job", "pull", "pull/updates", "image"},

	"archive":           {"archive/saved", "job", "shelf", "image", "image/layer", "share"},
	"archive/saved":     {"shelf", "image", "image/layer"},
	"pull":              {"pull/*", "job", "shelf", "shelf/docker", "image", "share"},
	"pull/resolve":      {"shelf", "image"},
	"pull/fetch":        {"job", "shelf", "share", "image"},
	"pull/mirror":       {"pull", "pull/resolve", "pull/fetch", "job", "shelf", "share", "image"},
	"pull/updates":      {"shelf", "share", "image"},
	"registry":          {"registry/outbound", "registry/response", "registry/logins", "image"},
	"registry/logins":   {"registry/response", "image"},
	"registry/outbound": {"registry/response", "image"},
	"registry/response": {"image"},
	"registry/search":   {"registry", "registry/outbound", "registry/response", "share", "image"},

	"storage":          {"storage/*", "shelf", "shelf/removal", "job", "share", "image", "image/layer", "migrations"},
	"storage/*":        {"storage/*", "shelf", "shelf/removal", "job", "image", "image/layer", "migrations"},
	"storage/blob":     {"image"},
	"storage/blob/*":   {"storage/blob", "image"},
	"storage/listing":  {"shelf", "image"},
	"storage/people":   {"storage/database", "storage/record", "auth", "shelf", "image"},
	"storage/record":   {"storage/database", "shelf", "image"},
	"storage/database": {"storage/blob", "image", "migrations"},

	"auth":          {"shelf", "share", "image"},
	"job":           {"image", "share"},
	"shelf":         {"image"},
	"shelf/docker":  {"shelf", "image"},
	"shelf/removal": {"shelf", "image"},
	"image/layer":   {"image"},
	"image":         {},
	"share":         {},
	"memo":          {},
	"guard":         {},
	"migrations":    {},
	"static":        {},
	"sample":        {},
	"sample/fake":   {"sample"},
}

// everywhere are packages that know nothing of the shelf, and that any of ours may import.
var everywhere = []string{"memo", "guard"}

// allowed returns what mayImport says of the package name.
func allowed(name string) ([]string, bool) {
	if list, ok := mayImport[name]; ok {
		return list, true
	}
	list, ok := mayImport[path.Dir(name)+"/*"]
	return list, ok
}

// covers reports whether list, of mayImport, has the package name.
func covers(list []string, name string) bool {
	return slices.Contains(list, "*") || slices.Contains(list, name) || slices.Contains(list, path.Dir(name)+"/*")
}

// onlyIn names libraries that belong to certain packages.
var onlyIn = map[string][]string{
	"github.com/labstack/echo/v4":         {"web", "handlers", "handlers/*"},
	"github.com/mattn/go-sqlite3":         {"storage/database"},
	"database/sql":                        {"storage", "storage/*"},
	"github.com/regclient/regclient":      {"registry", "test/*"},
	"github.com/a-h/templ":                {"views/*", "handlers", "handlers/*"},
	"github.com/prometheus/client_golang": {"web", "cmd/stowage", "test/*"},
	"github.com/alecthomas/kong":          {"cmd/stowage"},
	"github.com/goccy/go-yaml":            {"cmd/stowage"},
	"github.com/nicksnyder/go-i18n/v2":    {"views/text"},
	"github.com/olareg/olareg":            {"sample/fake", "test/*"},
	"github.com/distribution/reference":   {"image", "shelf/docker"},
	"github.com/containerd/platforms":     {"image"},
	"github.com/klauspost/compress":       {"image/layer", "archive", "registry/response", "sample"},
	"github.com/andybalholm/brotli":       {"registry/response"},
}

func TestPackagesImportOnlyWhatTheTableAllows(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(p.ImportPath, module)
		list, known := allowed(name)
		if !known {
			t.Errorf("package %s is not in the table: where does it belong?", name)
			continue
		}
		for _, i := range p.Imports {
			if ours, ok := strings.CutPrefix(i, module); ok && !covers(list, ours) && !slices.Contains(everywhere, ours) {
				t.Errorf("%s imports %s, which the table does not allow", name, ours)
			}
			for library, homes := range onlyIn {
				if (i == library || strings.HasPrefix(i, library+"/")) && !covers(homes, name) {
					t.Errorf("%s imports %s, which belongs to %v only", name, i, homes)
				}
			}
		}
	}
}
