package main

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/stowage/stowage/"

// mayImport is the table of docs/architecture.md: which of our packages each of ours may import.
// "*" stands for all.
var mayImport = map[string][]string{
	"cmd/stowage":           {"*"},
	"sample":                {},
	"web":                   {"handlers", "views", "static", "image", "share"},
	"archive":               {"pull", "image", "image/layer", "share"},
	"handlers":              {"views", "storage", "registry", "pull", "archive", "shelf/docker", "image", "image/layer"},
	"handlers/distribution": {"storage", "pull", "image"},
	"views":                 {"image", "pull", "static"},
	"storage":               {"archive", "storage/blob", "migrations", "image", "image/layer", "pull"},
	"pull":                  {"image", "share"},
	"share":                 {},
	"registry":              {"image", "share"},
	"storage/blob":          {"image"},
	"image/layer":           {"image"},
	"shelf/docker":          {"image"},
	"image":                 {},
	"migrations":            {},
	"static":                {},
	"test/shape":            {},
}

// onlyIn names libraries that belong to certain packages.
var onlyIn = map[string][]string{
	"github.com/labstack/echo/v4":         {"web", "handlers"},
	"github.com/mattn/go-sqlite3":         {"storage"},
	"database/sql":                        {"storage"},
	"github.com/regclient/regclient":      {"registry"},
	"github.com/a-h/templ":                {"views", "handlers"},
	"github.com/prometheus/client_golang": {"web", "cmd/stowage"},
	"github.com/alecthomas/kong":          {"cmd/stowage"},
	"github.com/goccy/go-yaml":            {"cmd/stowage"},
	"github.com/nicksnyder/go-i18n/v2":    {"views"},
	"github.com/olareg/olareg":            {"sample"},
	"github.com/distribution/reference":   {"image"},
	"github.com/containerd/platforms":     {"image"},
	"github.com/klauspost/compress":       {"image/layer", "archive", "registry", "sample"},
	"github.com/andybalholm/brotli":       {"registry"},
}

func TestPackagesImportOnlyWhatTheTableAllows(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		seen++
		name := strings.TrimPrefix(p.ImportPath, module)
		allowed, known := mayImport[name]
		if !known {
			t.Errorf("package %s is not in the table: where does it belong?", name)
			continue
		}
		for _, i := range p.Imports {
			if ours, ok := strings.CutPrefix(i, module); ok && !slices.Contains(allowed, ours) && !slices.Contains(allowed, "*") {
				t.Errorf("%s imports %s, which the table does not allow", name, ours)
			}
			for library, homes := range onlyIn {
				if (i == library || strings.HasPrefix(i, library+"/")) && !slices.Contains(homes, name) {
					t.Errorf("%s imports %s, which belongs to %v only", name, i, homes)
				}
			}
		}
	}
	if seen != len(mayImport) {
		t.Errorf("%d packages, %d in the table", seen, len(mayImport))
	}
}
