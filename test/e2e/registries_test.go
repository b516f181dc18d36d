package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/test/shelf"
)

func TestAWrongListOfRegistriesEndsTheProgramWithWhatToDo(t *testing.T) {
	t.Parallel()
	file := shelf.RegistriesFile(t, "registries:\n  - name: quay.io\n    host: b\n")
	good := shelf.RegistriesFile(t, "registries:\n  - name: quay.io\n")
	for _, c := range []struct {
		name string
		env  []string
		args []string
		want []string
	}{
		{"unknown key", nil, []string{"--registries=" + file}, []string{file + `:3: unknown key "host" of a registry`, "The known keys are: name, label, address, tls, ca, credentials, hosts, search, search-url, mirror-of."}},
		{"unknown key, from the environment", []string{"STOWAGE_REGISTRIES=" + file}, nil, []string{`unknown key "host"`}},
		{"no file", nil, []string{"--registries=/nowhere.yaml"}, []string{"--registries: ", "/nowhere.yaml"}},
		{"in the file and on the command line", nil, []string{"--registries=" + good, "--registry=Quay.io"}, []string{"registry Quay.io is given twice: " + good + ":2 and --registry", "Leave one of the two out."}},
		{"twice in the environment", []string{"STOWAGE_REGISTRY=quay.io,docker.io,index.docker.io"}, nil, []string{"registry index.docker.io is given twice"}},
		{"no name", nil, []string{"--registry=https://quay.io"}, []string{`--registry "https://quay.io" does not begin with the name of a registry`, "Give NAME or NAME=URL"}},
		{"what no reference can name", nil, []string{"--registry=not/a/host"}, []string{"not/a/host", "A registry is named as in references"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, errs, code := shelf.Run(t, c.env, append([]string{"--listen=127.0.0.1:0"}, c.args...)...)
			if code != 1 || out != "" {
				t.Errorf("exit code %d, output %q", code, out)
			}
			for _, want := range c.want {
				if !strings.Contains(errs, want) {
					t.Errorf("it does not say %q but:\n%s", want, errs)
				}
			}
		})
	}
}

func TestListedRegistriesAreLoggedAndPulledFrom(t *testing.T) {
	t.Parallel()
	h := shelf.DockerHub(t, "library/ubuntu:22.04")
	quay := shelf.StandIn(t, fake.Quay{Found: fake.QuayFound(), Tagged: h.Tags}.Handler())
	// Beyond loopback only what is listed may be at a loopback address.
	for _, listen := range [][]string{nil, {"--listen=0.0.0.0:0", "--auth=none"}} {
		s := shelf.Start(t, append([]string{shelf.ListRegistries(t, h.Listed(), registry.Entry{Host: "mirror.example.com", MirrorOf: "ghcr.io"}), "--registry=quay.io=" + quay.URL()}, listen...)...)
		for name, msg := range map[string]string{"docker.io": "registry", "quay.io": "registry", "mirror.example.com": "mirror"} {
			if _, err := s.AwaitLine(func(line string) bool {
				return strings.Contains(line, `"msg":"`+msg+`"`) && strings.Contains(line, `"name":"`+name+`"`)
			}); err != nil {
				t.Error(err)
			}
		}
		s.AwaitState(s.Pull("ubuntu:22.04", "linux/arm64"), "done")
		s.Page("/images/docker.io/library/ubuntu:22.04").Says(http.StatusOK, "arm64")
		// A made-up name and a made-up tag lead to the same image.
		s.AwaitState(s.Pull("tidewater/redis-cluster:22.04", "linux/arm64"), "done")
	}
}

func TestTheDemoWorksBeyondLoopback(t *testing.T) {
	t.Parallel()
	// What the operator lists of the same names, the demo has itself.
	list := shelf.ListRegistries(t, registry.Entry{Host: "quay.io", Address: "quay.invalid"}, registry.Entry{Host: "mirror.invalid", MirrorOf: "docker.io"})
	s := shelf.Launch(t, "", shelf.Command(t, nil, "demo", "--listen=0.0.0.0:0", "--auth=none", list))
	for ref, platform := range map[string]string{"quay.io/prometheus/node-exporter:v1.8.2": "linux/arm64", "postgres:9.3-alpine": "linux/amd64", "ghcr.io/acme/api:v2.12.0": "linux/amd64"} {
		s.AwaitState(s.Pull(ref, platform), "done")
	}
}

func TestAWrongValueIsRefusedWithItsLineBeforeTheDataFolderIsTouched(t *testing.T) {
	t.Parallel()
	file := shelf.RegistriesFile(t, "registries:\n  - name: quay.io\n  - name: harbor.example.com\n    address: https://harbor.example.com/v2\n")
	data := filepath.Join(t.TempDir(), "data")
	_, stderr, code := shelf.Run(t, nil, "--listen=127.0.0.1:0", "--data="+data, "--registries="+file)
	if code == 0 || !strings.Contains(stderr, file+":3") || !strings.Contains(stderr, "An address goes without https://") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if _, err := os.Stat(data); err == nil {
		t.Error("the data folder was made")
	}
}
