//go:build linux

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// congestionFile has the congestion control that TCP uses for new connections in the network of whoever reads it.
const congestionFile = "/proc/sys/net/ipv4/tcp_congestion_control"

func congestionControl(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(congestionFile)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(raw))
}

// unpaced are those that send as soon as there is room. Others, BBR above all, send by the clock: on loopback it is
// then the kernel's timers that are measured, not who serves.
var unpaced = []string{"cubic", "reno"}

// inOwnNetwork runs a test of this program again, in a network of its own with nothing but loopback, where TCP can be
// set without setting it for the machine. That needs root or user namespaces; it tells whether there was either.
func inOwnNetwork(t *testing.T, test string, args ...string) bool {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0],
		append([]string{"-test.run=^" + test + "$", "-test.count=1", "-test.timeout=30m"}, args...)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	if id := os.Getuid(); id != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: id, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	if err := cmd.Start(); err != nil {
		t.Logf("no network of its own, so TCP stays as the machine has it: %v", err)
		return false
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("in a network of its own: %v", err)
	}
	return true
}

// setUpNetwork brings loopback up and sets TCP's congestion control, in a network of its own.
func setUpNetwork(t *testing.T) {
	t.Helper()
	if err := loopbackUp(); err != nil {
		t.Fatalf("bring loopback up: %v", err)
	}
	for _, name := range unpaced {
		if os.WriteFile(congestionFile, []byte(name), 0) == nil && congestionControl(t) == name {
			return
		}
	}
	if !slices.Contains(unpaced, congestionControl(t)) {
		t.Fatalf("the kernel lets none of %q be set", unpaced)
	}
}

func loopbackUp() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open a socket: %w", err)
	}
	defer unix.Close(socket)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, lo)
}
