package main

import (
	"errors"
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
