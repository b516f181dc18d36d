package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/test/shelf"
)

// puller is a program by which people pull from the shelf, without an engine running.
type puller struct {
	name string
	tool func() (string, error)
	// args are those of a pull of one platform into a folder. An index of docker's types goes into a folder that keeps
	// them, where the program would turn it into OCI's.
	args func(host, ref, architecture, dir string, docker bool) []string
}

var pullers = []puller{
	{"regctl", shelf.RegctlTool, func(host, ref, architecture, dir string, _ bool) []string {
		return []string{"--host", "reg=" + host + ",tls=disabled", "image", "copy", "--platform", "linux/" + architecture,
			ref, "ocidir://" + dir + ":x"}
	}},
	{"crane", shelf.CraneTool, func(_, ref, architecture, dir string, _ bool) []string {
		return []string{"pull", "--insecure", "--format=oci", "--platform", "linux/" + architecture, ref, dir}
	}},
	{"oras", shelf.OrasTool, func(_, ref, architecture, dir string, _ bool) []string {
		return []string{"copy", "--from-plain-http", "--platform", "linux/" + architecture, ref, "--to-oci-layout", dir +
			":x"}
	}},
	{"skopeo", installed("skopeo"), func(_, ref, architecture, dir string, docker bool) []string {
		to := "oci:" + dir + ":x"
		if docker {
			to = "dir:" + dir
		}
		return []string{"--insecure-policy", "--override-os", "linux", "--override-arch", architecture, "copy",
			"--src-tls-verify=false", "docker://" + ref, to}
	}},
}

// installed looks for a program that comes from the system's packages.
func installed(name string) func() (string, error) {
	return func() (string, error) {
		path, err := exec.LookPath(name)
		if err != nil {
			return "", fmt.Errorf("this test needs %s on the PATH; the task \"test\" installs it where there is apt-get, and scripts/clients does only that: "+
				"go run github.com/go-task/task/v3/cmd/task@v3.53.0 test (%w)", name, err)
		}
		return path, nil
	}
}

func TestRegctlCraneOrasAndSkopeoPullFromTheShelf(t *testing.T) {
	t.Parallel()
	f := fillShelf(t)
	for _, p := range pullers {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			binary, err := p.tool()
			if err != nil {
				t.Fatal(err)
			}
			for _, tag := range []string{indexTag, listTag} {
				for _, architecture := range []string{"amd64", "arm64"} {
					for _, ref := range f.named(tag) {
						dir := filepath.Join(t.TempDir(), "pulled")
						runClient(t, binary, p.args(f.Host(), ref, architecture, dir, tag == listTag)...)
						kept(t, dir, shelf.Platform(t, f.tags[tag], "linux/"+architecture))
					}
				}
			}
		})
	}
}

func TestWholeIndexesAreCopiedFromTheShelf(t *testing.T) {
	t.Parallel()
	f := fillShelf(t)
	for _, p := range []struct {
		name string
		tool func() (string, error)
		args func(ref, dir string) []string
	}{
		{"regctl", shelf.RegctlTool, func(ref, dir string) []string {
			return []string{"--host", "reg=" + f.Host() + ",tls=disabled", "image", "copy", ref, "ocidir://" + dir + ":x"}
		}},
		{"oras", shelf.OrasTool, func(ref, dir string) []string {
			return []string{"copy", "--from-plain-http", ref, "--to-oci-layout", dir + ":x"}
		}},
		{"skopeo", installed("skopeo"), func(ref, dir string) []string {
			return []string{"--insecure-policy", "copy", "--all", "--src-tls-verify=false", "docker://" + ref, "oci:" + dir +
				":x"}
		}},
	} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			binary, err := p.tool()
			if err != nil {
				t.Fatal(err)
			}
			for _, ref := range f.named(indexTag) {
				dir := filepath.Join(t.TempDir(), "copied")
				runClient(t, binary, p.args(ref, dir)...)
				kept(t, dir, f.tags[indexTag])
			}
		})
	}
}

// The settings are those of docs/registry.md.
func TestSkopeoTakesTheShelfForAMirror(t *testing.T) {
	t.Parallel()
	binary, err := installed("skopeo")()
	if err != nil {
		t.Fatal(err)
	}
	f := fillShelf(t)
	settings := filepath.Join(t.TempDir(), "registries.conf")
	err = os.WriteFile(settings, []byte("[[registry]]\nlocation = \"ghcr.io\"\n[[registry.mirror]]\nlocation = \""+
		f.Host()+"/ghcr.io\"\ninsecure = true\n"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "copied")
	runClient(t, binary, "--insecure-policy", "--registries-conf", settings, "copy", "--all", "docker://ghcr.io/team/app:"+
		indexTag, "oci:"+dir+":x")
	kept(t, dir, f.tags[indexTag])
}

// named returns the names of a tag's image: by tag and by the digest of its index.
func (f filled) named(tag string) []string {
	repository := f.Host() + "/" + f.name
	return []string{repository + ":" + tag, repository + "@" + string(f.tags[tag].Digest())}
}

// runClient runs a client to its end, without anything of the person who runs the tests: no sign-ins, no settings.
func runClient(t *testing.T, binary string, args ...string) (stdout string) {
	t.Helper()
	home := t.TempDir()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Dir = home
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_RUNTIME_DIR=" + home, "TMPDIR=" + os.TempDir()}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", cmd, err, out.String(), errs.String())
	}
	return out.String()
}

// kept fails the test unless a folder, an OCI image layout or skopeo's "dir:", is about an index or manifest and holds
// it with everything below it, byte by byte.
func kept(t *testing.T, dir string, want sample.Built) {
	t.Helper()
	blob := func(d digest.Digest) string { return filepath.Join(dir, "blobs", d.Algorithm().String(), d.Encoded()) }
	about, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if errors.Is(err, os.ErrNotExist) {
		blob = func(d digest.Digest) string {
			if d == want.Digest() {
				return filepath.Join(dir, "manifest.json")
			}
			return filepath.Join(dir, d.Encoded())
		}
	} else if err != nil || !strings.Contains(string(about), `"`+string(want.Digest())+`"`) {
		t.Errorf("%s is about %s, want %s (%v)", dir, about, want.Digest(), err)
	}
	for m := range want.All() {
		wanted := append([]sample.Blob{{Descriptor: m.Descriptor, Data: m.Body}}, m.Blobs...)
		for _, b := range wanted {
			if got, err := os.ReadFile(blob(b.Descriptor.Digest)); err != nil || !bytes.Equal(got, b.Data) {
				t.Errorf("%s of %s: %d bytes, want %d (%v)", b.Descriptor.Digest, b.Descriptor.MediaType, len(got), len(b.Data),
					err)
			}
		}
	}
}
