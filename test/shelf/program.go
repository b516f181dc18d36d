// Package shelf is the fixture of the tests that meet the program as people and clients do: the built binary on a real
// data folder in a process of its own, real registries and stand-ins for search services before it, and a client that
// reads its pages. A package of such tests has a TestMain that calls Main.
package shelf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Patience is how long anything that a test waits for may take; it only ends tests that would fail.
const Patience = 60 * time.Second

// program is the path of the built binary.
var program string

// RaceEnabled reports whether the tests, and so the program, are to be built with the race detector.
func RaceEnabled() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// shared holds what tests have in common (the registry, the browser) and gives it up after the last one.
var shared struct {
	sync.Mutex
	closers []func()
}

// AtEnd has f called after the last test of the package.
func AtEnd(f func()) {
	shared.Lock()
	defer shared.Unlock()
	shared.closers = append(shared.closers, f)
}

// Main builds the program, runs the tests of a package and ends the process.
func Main(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "stowage-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "stowage")
	args := []string{"build", "-o", program}
	if RaceEnabled() {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, "github.com/stowage/stowage/cmd/stowage")...).
		CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, out)
		return 1
	}
	defer closeShared()
	return m.Run()
}

func closeShared() {
	shared.Lock()
	defer shared.Unlock()
	for _, f := range slices.Backward(shared.closers) {
		f()
	}
}

// Run runs the program to its end and returns its output and exit code.
func Run(t *testing.T, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	made := Command(t, env, args...)
	cmd := exec.CommandContext(ctx, made.Path, args...)
	cmd.Dir, cmd.Env = made.Dir, made.Env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("stowage %s: %v", strings.Join(args, " "), err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// Command returns the program with an environment that holds nothing of the person's who runs the tests: no sign-ins,
// no settings.
func Command(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir, "TMPDIR=" + os.TempDir(), "STOWAGE_LOG_FORMAT=json",
		"GORACE=atexit_sleep_ms=0", // the race detector would sleep for a second at the end of each process
	}, env...)
	return cmd
}

// Eventually waits for something that nothing announces.
func Eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	expired := time.After(Patience)
	for !is() {
		select {
		case <-again.C:
		case <-expired:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// RegistriesFile writes a file for --registries.
func RegistriesFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "registries.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
