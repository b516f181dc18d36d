package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stowage/stowage/test/shelf"
)

func TestVersionIsOneLine(t *testing.T) {
	t.Parallel()
	out, _, code := shelf.Run(t, nil, "version")
	if want := regexp.MustCompile(`^stowage \S+ go1\.\S+ \w+/\w+\n$`); code != 0 || !want.MatchString(out) {
		t.Errorf("exit code %d, output %q", code, out)
	}
}

func TestHelpNamesEveryFlagWithItsTwinInTheEnvironment(t *testing.T) {
	t.Parallel()
	out, _, code := shelf.Run(t, nil, "help")
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	text := strings.Join(strings.Fields(out), " ") // it is wrapped
	for _, flag := range []string{
		"listen", "data", "platform", "registry", "registries", "insecure-registry", "registry-ca", "pull-concurrency",
		"undo-window",
		"external-url", "host", "auth", "log-format", "log-level",
	} {
		twin := "STOWAGE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
		if !strings.Contains(text, "--"+flag+"=") || !strings.Contains(text, "($"+twin+")") {
			t.Errorf("help does not name --%s and %s:\n%s", flag, twin, out)
		}
	}
	if !regexp.MustCompile(`--share-logins [^$]*\(\$STOWAGE_SHARE_LOGINS\)`).MatchString(text) { // it takes no value
		t.Errorf("help does not name --share-logins:\n%s", out)
	}
	for _, said := range []string{"Default: 127.0.0.1:8080.", "Default: ./stowage-data.", "Default: 10m.", "Default: 6."} {
		if !strings.Contains(text, said) {
			t.Errorf("help does not say %q:\n%s", said, out)
		}
	}
	for _, command := range []string{"serve", "demo", "version", "help"} {
		if !regexp.MustCompile(`(?m)^  ` + command + `\b`).MatchString(out) {
			t.Errorf("help does not name the command %s:\n%s", command, out)
		}
	}
	if same, _, code := shelf.Run(t, nil, "--help"); code != 0 || same != out {
		t.Errorf("--help says something else (exit code %d):\n%s", code, same)
	}
}

func TestAWrongCommandLineIsRefusedWithWhatToDo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		env  []string
		args []string
		want []string
	}{
		{"unknown flag", nil, []string{"--nope"}, []string{"stowage: unknown flag --nope", "See `stowage help`."}},
		{"unknown command", nil, []string{"fly"}, []string{"stowage: ", "fly", "See `stowage help`."}},
		{"not a number", nil, []string{"--pull-concurrency=many"}, []string{"--pull-concurrency", "See `stowage help`."}},
		{"an undo window that is over already", nil, []string{"--undo-window=-1m"},
			[]string{"--undo-window is a duration such as 10m, or 0, not -1m0s"}},
		{"an undo window without a unit", []string{"STOWAGE_UNDO_WINDOW=ten minutes"}, nil,
			[]string{"--undo-window", "See `stowage help`."}},
		{"a size that is none", nil, []string{"--max-upload=lots"},
			[]string{"--max-upload is a size such as 20GB, or 0, not"}},
		{"a memory limit that is none", nil, []string{"--memory-limit=lots"},
			[]string{"--memory-limit is a size such as 512MiB, or 0, not"}},
		{"a size below nothing", nil, []string{"--max-upload=-1GB"},
			[]string{"--max-upload is a size such as 20GB, or 0, not"}},
		{"too many at once", nil, []string{"--pull-concurrency=1000"},
			[]string{"--pull-concurrency must be between 1 and 64"}},
		{"log level", nil, []string{"--log-level=loud"}, []string{"--log-level", "debug", "loud"}},
		{"platform", nil, []string{"--platform=lin ux"},
			[]string{`--platform: "lin ux" is not a platform`, "such as linux/amd64"}},
		{"an outside address with a path", nil, []string{"--external-url=https://shelf.example.com/stowage"},
			[]string{`--external-url: "https://shelf.example.com/stowage" is not an address of this server`,
				"https://shelf.example.com"}},
		{"a name with a port", nil, []string{"--host=shelf.example.com:8080"},
			[]string{`--host: "shelf.example.com:8080" is not the name of a host`, "shelf.example.com"}},
		{"an insecure registry with a scheme", nil, []string{"--insecure-registry=http://a"},
			[]string{`--insecure-registry: "http://a" is not a host`}},
		{"next to no memory", nil, []string{"--memory-limit=1"}, []string{"--memory-limit must be at least 64MiB, or 0"}},
		{"an outside address without http", []string{"STOWAGE_EXTERNAL_URL=shelf.example.com"}, nil,
			[]string{"--external-url: "}},
		{"address without a port", nil, []string{"--listen=127.0.0.1"},
			[]string{"--listen", "Give host and port, such as 127.0.0.1:8080."}},
		{"from the environment", []string{"STOWAGE_PLATFORM=lin ux"}, nil,
			[]string{`--platform: "lin ux" is not a platform`}},
		{"CA file", nil, []string{"--registry-ca=/nowhere.pem", "--listen=127.0.0.1:0"}, []string{"/nowhere.pem"}},
		{"open to the network", nil, []string{"--listen=0.0.0.0:0"}, []string{
			"--listen 0.0.0.0:0 would let everybody on the network pull, upload and delete images",
			"Add --auth accounts, so that people sign in. Or listen on 127.0.0.1, or add --auth none if that is what you want.",
		}},
		{"open to the network by an empty host", nil, []string{"--listen=:0"},
			[]string{"would let everybody on the network pull, upload and delete images"}},
		{"open to the network from the environment", []string{"STOWAGE_LISTEN=0.0.0.0:0"}, nil,
			[]string{"would let everybody on the network pull, upload and delete images"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, errs, code := shelf.Run(t, c.env, c.args...)
			if code != 1 || out != "" {
				t.Errorf("exit code %d, output %q", code, out)
			}
			for _, want := range c.want {
				if !strings.Contains(errs, want) {
					t.Errorf("it does not say %q but:\n%s", want, errs)
				}
			}
			if strings.Contains(errs, "goroutine") {
				t.Errorf("a stack trace:\n%s", errs)
			}
		})
	}
}

func TestTheEnvironmentConfiguresAndTheCommandLineWins(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "from-the-environment")
	env := []string{"STOWAGE_LISTEN=127.0.0.1:0", "STOWAGE_DATA=" + data, "STOWAGE_PLATFORM=linux/s390x",
		"STOWAGE_LOG_LEVEL=debug"}

	s := shelf.Launch(t, data, shelf.Command(t, env))
	if s.Platform != "linux/s390x" {
		t.Errorf("platform %s, want the environment's linux/s390x", s.Platform)
	}
	// Probes are logged at debug level only.
	if _, err := s.AwaitLine(func(line string) bool { return strings.Contains(line, `"path":"/readyz"`) }); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(data, "oci-layout")); err != nil {
		t.Errorf("the data folder is not the environment's: %v", err)
	}
	s.Stop()

	env[0] = "STOWAGE_LISTEN=0.0.0.0:0" // would be refused
	s = shelf.Launch(t, data, shelf.Command(t, env, "serve", "--listen=127.0.0.1:0", "--platform=linux/arm64/v8"))
	if s.Platform != "linux/arm64" {
		t.Errorf("platform %s, want the command line's linux/arm64", s.Platform)
	}
}

func TestASecondServerOnTheSameDataFolderIsRefused(t *testing.T) {
	t.Parallel()
	s := shelf.Start(t)
	_, errs, code := shelf.Run(t, nil, "--listen=127.0.0.1:0", "--data="+s.Data)
	if code != 1 || !strings.Contains(errs, "another Stowage server is using the data folder "+s.Data) ||
		!strings.Contains(errs, "--data") {
		t.Errorf("exit code %d:\n%s", code, errs)
	}
	if status, _ := s.Get("/readyz"); status != http.StatusOK {
		t.Errorf("the first server is disturbed: /readyz %d", status)
	}
	s.Stop()
	shelf.StartOn(t, s.Data, nil) // the lock went with it
}

func TestATakenAddressIsSaidBeforeTheDataFolderIsTouched(t *testing.T) {
	t.Parallel()
	s := shelf.Start(t)
	data := filepath.Join(t.TempDir(), "never-made")
	_, errs, code := shelf.Run(t, nil, "--listen="+s.Host(), "--data="+data)
	if code != 1 || !strings.Contains(errs, s.Host()) || !strings.Contains(errs, "in use") {
		t.Errorf("exit code %d:\n%s", code, errs)
	}
	if made, err := filepath.Glob(data); err != nil || len(made) > 0 {
		t.Errorf("the data folder was made: %v %v", made, err)
	}
}
