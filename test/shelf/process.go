package shelf

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Process is a program that runs beside the test, with what it has logged.
type Process struct {
	Cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how it ended; valid after done

	mu      sync.Mutex
	lines   []string
	changed chan struct{} // closed, and made anew, with each line
}

// startProcess starts cmd and keeps the lines of its standard error.
func startProcess(cmd *exec.Cmd) (*Process, error) {
	p := &Process{Cmd: cmd, done: make(chan struct{}), changed: make(chan struct{})}
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

func (p *Process) add(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(p.lines, line)
	close(p.changed)
	p.changed = make(chan struct{})
}

// Logs is what the process has logged so far.
func (p *Process) Logs() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

// AwaitLine waits for a line that match likes, among those that are there and those to come.
func (p *Process) AwaitLine(match func(string) bool) (string, error) {
	expired := time.After(Patience)
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
			return "", fmt.Errorf("%s ended without the line that was waited for (%s):\n%s", filepath.Base(p.Cmd.Path),
				p.Cmd.ProcessState, p.Logs())
		case <-expired:
			return "", fmt.Errorf("%s did not log the line that was waited for:\n%s", filepath.Base(p.Cmd.Path), p.Logs())
		}
	}
}

// end waits until the process has ended and tells how.
func (p *Process) end(within time.Duration) error {
	select {
	case <-p.done:
		return p.err
	case <-time.After(within):
		_ = p.Cmd.Process.Kill()
		<-p.done
		return fmt.Errorf("%s did not end within %s", filepath.Base(p.Cmd.Path), within)
	}
}

// MemoryOf reads a figure of /proc/PID/status in bytes: VmHWM is the most resident memory so far, VmRSS that of now.
// It is 0 for a process that has ended.
func MemoryOf(pid int, name string) int64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			n, _ := strconv.ParseInt(strings.Fields(value)[0], 10, 64) // the kernel writes numbers
			return n << 10
		}
	}
	return 0
}
