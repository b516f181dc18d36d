package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The tests here meet the program as people do: the built binary in a process of its own, a real registry in
// another, and Chromium in front.

// patience is how long anything that a test waits for may take; it only ends tests that would fail.
const patience = 60 * time.Second

// program is the path of the built binary.
var program string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "stowage-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "stowage")
	args := []string{"build", "-o", program}
	if raceEnabled() {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, ".")...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, out)
		return 1
	}
	defer closeShared()
	return m.Run()
}

// raceEnabled tells whether the tests, and so the program, are to be built with the race detector.
func raceEnabled() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// shared holds what tests have in common (the registry, the browser) and gives it up after the last one.
var shared struct {
	sync.Mutex
	closers []func()
}

func atEnd(f func()) {
	shared.Lock()
	defer shared.Unlock()
	shared.closers = append(shared.closers, f)
}

func closeShared() {
	shared.Lock()
	defer shared.Unlock()
	for _, f := range slices.Backward(shared.closers) {
		f()
	}
}

// process is a program that runs beside the test, with what it has logged.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how it ended; valid after done

	mu      sync.Mutex
	lines   []string
	changed chan struct{} // closed, and made anew, with each line
}

// startProcess starts cmd and keeps the lines of its standard error.
func startProcess(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{}), changed: make(chan struct{})}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	go func() {
		lines := bufio.NewScanner(stderr)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			p.add(lines.Text())
		}
		_, _ = io.Copy(io.Discard, stderr) // a line over the limit must not block the process
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func (p *process) add(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(p.lines, line)
	close(p.changed)
	p.changed = make(chan struct{})
}

// logs is what the process has logged so far.
func (p *process) logs() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

// awaitLine waits for a line that match likes, among those that are there and those to come.
func (p *process) awaitLine(match func(string) bool) (string, error) {
	expired := time.After(patience)
	for seen := 0; ; {
		p.mu.Lock()
		lines, changed := p.lines[seen:], p.changed
		p.mu.Unlock()
		seen += len(lines)
		if i := slices.IndexFunc(lines, match); i >= 0 {
			return lines[i], nil
		}
		select {
		case <-changed:
		case <-p.done:
			return "", fmt.Errorf("%s ended without the line that was waited for (%s):\n%s", filepath.Base(p.cmd.Path), p.cmd.ProcessState, p.logs())
		case <-expired:
			return "", fmt.Errorf("%s did not log the line that was waited for:\n%s", filepath.Base(p.cmd.Path), p.logs())
		}
	}
}

// end waits until the process has ended and tells how.
func (p *process) end(within time.Duration) error {
	select {
	case <-p.done:
		return p.err
	case <-time.After(within):
		_ = p.cmd.Process.Kill()
		<-p.done
		return fmt.Errorf("%s did not end within %s", filepath.Base(p.cmd.Path), within)
	}
}

// stowage is a running server.
type stowage struct {
	*process
	t        *testing.T
	url      string // such as http://127.0.0.1:41729
	data     string // the data folder
	platform string // the default platform, as logged
	ended    bool   // the test has ended it and judged how
}

// startStowage starts a server on an empty data folder and waits until it is ready. More arguments follow
// those of the harness, so they win.
func startStowage(t *testing.T, args ...string) *stowage {
	t.Helper()
	return startStowageOn(t, t.TempDir(), nil, args...)
}

// startStowageOn starts a server on a data folder, with variables more in its environment.
func startStowageOn(t *testing.T, data string, env []string, args ...string) *stowage {
	t.Helper()
	s := &stowage{t: t, data: data}
	cmd := stowageCommand(t, env, append([]string{"--listen=127.0.0.1:0", "--data=" + data, "--platform=linux/amd64"}, args...)...)
	s.launch(cmd)
	return s
}

// startDemo starts `stowage demo`.
func startDemo(t *testing.T) *stowage {
	t.Helper()
	s := &stowage{t: t}
	s.launch(stowageCommand(t, nil, "demo", "--listen=127.0.0.1:0"))
	return s
}

// stowageCommand is the program with an environment that holds nothing of the person's who runs the tests:
// no sign-ins, no settings.
func stowageCommand(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir, "TMPDIR=" + os.TempDir(), "STOWAGE_LOG_FORMAT=json",
		"GORACE=atexit_sleep_ms=0"}, env...) // the race detector would sleep for a second at the end of each process
	return cmd
}

func (s *stowage) launch(cmd *exec.Cmd) {
	s.t.Helper()
	var err error
	if s.process, err = startProcess(cmd); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(s.close)
	line, err := s.awaitLine(func(l string) bool { return strings.Contains(l, "Stowage is ready") })
	if err != nil {
		s.t.Fatal(err)
	}
	var ready struct{ Address, Platform string }
	if err := json.Unmarshal([]byte(line), &ready); err != nil || ready.Address == "" {
		s.t.Fatalf("no address in %s: %v", line, err)
	}
	s.url, s.platform = ready.Address, ready.Platform
	if status, body := s.get("/readyz"); status != http.StatusOK {
		s.t.Fatalf("GET /readyz: %d %s", status, body)
	}
}

// host is the server's address without the scheme.
func (s *stowage) host() string { return strings.TrimPrefix(s.url, "http://") }

// close stops a server that the test did not end itself.
func (s *stowage) close() {
	if !s.ended {
		s.stop()
	}
	if s.t.Failed() {
		s.t.Logf("log of %s:\n%s", s.url, s.logs())
	}
}

// stop ends the server as a service manager does, and expects a clean end within the 10 s that are promised.
func (s *stowage) stop() {
	s.t.Helper()
	s.ended = true
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Errorf("send SIGTERM: %v", err)
	}
	if err := s.end(10 * time.Second); err != nil {
		s.t.Errorf("the server did not end well: %v", err)
	}
	s.judgeLogs()
}

// kill ends the server as a power cut does.
func (s *stowage) kill() {
	s.t.Helper()
	s.ended = true
	if err := s.cmd.Process.Kill(); err != nil {
		s.t.Fatalf("send SIGKILL: %v", err)
	}
	<-s.done
	s.judgeLogs()
}

// judgeLogs fails the test for what no run may log, whatever a registry sends.
func (s *stowage) judgeLogs() {
	s.t.Helper()
	for _, bad := range []string{"DATA RACE", "panic", `"level":"ERROR"`} {
		if logs := s.logs(); strings.Contains(logs, bad) {
			s.t.Errorf("the server logged %q:\n%s", bad, logs)
			return
		}
	}
}

// runStowage runs the program to its end and gives its output and exit code.
func runStowage(t *testing.T, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	made := stowageCommand(t, env, args...)
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

// eventually waits for something that nothing announces.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	expired := time.After(patience)
	for !is() {
		select {
		case <-again.C:
		case <-expired:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
