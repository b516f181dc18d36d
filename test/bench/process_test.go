//go:build linux

package bench

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stowage/stowage/test/shelf"
)

// usage is what something cost.
type usage struct {
	wall time.Duration
	cpu  time.Duration // user and system
	peak int64         // bytes of memory, at most so far
}

// clockTick is the unit of the times in /proc/PID/stat: USER_HZ, which is 100 on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// cpuOf is the processor time that a process has used, its ended threads included (proc(5), utime and stime).
func cpuOf(t *testing.T, pid int) time.Duration {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := bytes.Fields(raw[bytes.LastIndexByte(raw, ')')+1:]) // the name before may hold blanks
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(string(f), 10, 64)
		if err != nil {
			t.Fatalf("/proc/%d/stat: %v", pid, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick
}

// peakEvery is how often the peak memory of a peer is read. What rusage says is of no use: it begins with the peak of
// the process that forked.
const peakEvery = 2 * time.Millisecond

// runPeer runs a program to its end and measures it.
func runPeer(t *testing.T, tool func() (string, error), args ...string) usage {
	t.Helper()
	binary, err := tool()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, args...)
	home := t.TempDir()
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "DOCKER_CONFIG=" + home}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	var u usage
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	every := time.NewTicker(peakEvery)
	defer every.Stop()
	for {
		select {
		case err := <-ended:
			u.wall = time.Since(begun)
			if err != nil {
				t.Fatalf("%s: %v\n%s", cmd, err, said.String())
			}
			u.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			return u
		case <-every.C:
			u.peak = max(u.peak, shelf.MemoryOf(cmd.Process.Pid, "VmHWM"))
		}
	}
}

// writeMachine names what the figures were taken on.
func writeMachine(t *testing.T, out *bytes.Buffer) {
	t.Helper()
	read := func(path string) string {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	line := func(path, name string) string {
		for l := range strings.Lines(read(path)) {
			if k, v, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(k) == name {
				return strings.TrimSpace(v)
			}
		}
		return "unknown"
	}
	goVersion, err := exec.Command("go", "env", "GOVERSION").Output()
	if err != nil {
		t.Fatal(err)
	}
	memory, err := strconv.ParseFloat(strings.TrimSuffix(line("/proc/meminfo", "MemTotal"), " kB"), 64)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(out, "Machine: %s, %d cores, %.0f GiB of memory, data on %s, Linux %s, %s. Load average at the start: %s. Taken on %s.\n\n",
		line("/proc/cpuinfo", "model name"), strings.Count(read("/proc/cpuinfo"), "processor\t"), memory/(1<<20),
		fileSystem(read("/proc/mounts"), os.TempDir()),
		strings.TrimSpace(read("/proc/sys/kernel/osrelease")), strings.TrimSpace(string(goVersion)),
		strings.Join(strings.Fields(read("/proc/loadavg"))[:1], " "), time.Now().UTC().Format("2 January 2006"))
}

// fileSystem is the type of the file system that a folder is on, by the longest mount point above it.
func fileSystem(mounts, dir string) string {
	longest, kind := "", "an unknown file system"
	for l := range strings.Lines(mounts) {
		f := strings.Fields(l)
		if len(f) < 3 {
			continue
		}
		if at := strings.TrimSuffix(f[1], "/") + "/"; strings.HasPrefix(dir+"/", at) && len(at) >= len(longest) {
			longest, kind = at, f[2]
		}
	}
	return kind
}
