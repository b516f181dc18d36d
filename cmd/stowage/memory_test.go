package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

func TestTheMemoryLimitIsTheLeastThatAnybodyKnowsOf(t *testing.T) {
	unknown := func() (uint64, error) { return 0, errors.New("no cgroups here") }
	for want, providers := range map[uint64][]memlimit.Provider{
		256: {memlimit.Limit(256), memlimit.Limit(1024)},
		512: {memlimit.Limit(1024), memlimit.Limit(512)},
		99:  {unknown, memlimit.Limit(99)},
	} {
		if got, err := lesser(providers...)(); err != nil || got != want {
			t.Errorf("got %d, want %d (%v)", got, want, err)
		}
	}
	if _, err := lesser(unknown)(); err == nil {
		t.Error("nobody knows, and there is a limit")
	}
}

func TestTheMemoryLimitIsSaidByTheFlagTheEnvironmentOrTheMachine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		env, args []string
		want      string
	}{
		{nil, []string{"--memory-limit=300MiB"}, `"bytes":314572800`},
		{[]string{"GOMEMLIMIT=200MiB"}, nil, `"bytes":209715200`},
		{[]string{"GOMEMLIMIT=200MiB"}, []string{"--memory-limit=300MiB"}, `"bytes":314572800`},
		{nil, []string{"--memory-limit=0"}, `"bytes":9223372036854775807`},
	} {
		s := startStowageOn(t, t.TempDir(), c.env, append(c.args, "--log-level=debug")...)
		if logs := s.logs(); !strings.Contains(logs, "soft memory limit") || !strings.Contains(logs, c.want) {
			t.Errorf("%v %v: no %s in\n%s", c.env, c.args, c.want, logs)
		}
	}
	s := startStowage(t, "--log-level=debug")
	if logs := s.logs(); !strings.Contains(logs, "soft memory limit") || strings.Contains(logs, `"bytes":9223372036854775807`) {
		t.Errorf("nobody said anything, and there is no limit:\n%s", logs)
	}
}
