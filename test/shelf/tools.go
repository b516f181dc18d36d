package shelf

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"sync"
)

// The programs of others that tests and benchmarks run beside ours, and that come from the Go module proxy. Each is
// built when it is asked for first, and kept: of a cold cache that takes from seconds to, for distribution, minutes.
var (
	DistributionTool = goTool("distribution", "github.com/distribution/distribution/v3", "cmd/registry", "v3.1.2")
	// the library's version in go.mod
	OlaregTool      = goTool("olareg", "github.com/olareg/olareg", "cmd/olareg", "v0.2.2")
	ConformanceTool = goTool("conformance", "github.com/opencontainers/distribution-spec/conformance", "",
		"v0.0.0-20260831232431-97274622c111")
	// the library's version in go.mod
	RegctlTool = goTool("regctl", "github.com/regclient/regclient", "cmd/regctl", "v0.11.7")
	CraneTool  = goTool("crane", "github.com/google/go-containerregistry", "cmd/crane", "v0.22.1")
	OrasTool   = goTool("oras", "oras.land/oras", "cmd/oras", "v1.3.6")
)

// goTool returns the path of a module's command, which it builds into the person's cache folder where it is not there
// yet.
func goTool(name, module, command, version string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("find the cache folder: %w", err)
		}
		pkg := path.Join(module, command)
		home := filepath.Join(cache, "stowage-test", name+"-"+version)
		binary := filepath.Join(home, path.Base(pkg))
		if _, err := os.Stat(binary); err == nil {
			return binary, nil
		}
		if err := os.MkdirAll(home, 0o755); err != nil {
			return "", fmt.Errorf("make the cache folder: %w", err)
		}
		// In a folder of its own and then in one step to its place: tests may run twice at a time.
		tmp, err := os.MkdirTemp(home, "build-")
		if err != nil {
			return "", fmt.Errorf("make the build folder: %w", err)
		}
		defer os.RemoveAll(tmp)
		// Not go install: it also asks the proxy for a list of all versions, which not every proxy gives.
		if err := os.WriteFile(filepath.Join(tmp, "go.mod"),
			[]byte("module tool\n\ngo 1.26.0\n\nrequire "+module+" "+version+"\n"), 0o600); err != nil {
			return "", fmt.Errorf("make the build folder: %w", err)
		}
		built := filepath.Join(tmp, "built")
		cmd := exec.Command("go", "build", "-o", built, pkg)
		cmd.Dir = tmp
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build %s %s from the Go module proxy: %w\n%s", name, version, err, out)
		}
		if err := os.Rename(built, binary); err != nil {
			return "", fmt.Errorf("keep %s: %w", name, err)
		}
		return binary, nil
	})
}
