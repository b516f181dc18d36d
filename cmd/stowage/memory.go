package main

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/docker/go-units"

	"github.com/stowage/stowage/image"
)

// memoryShare is how much of the memory that there is the server keeps below. The limit is a soft one: near it, the
// garbage collector works harder. SQLite and the files of the program are not counted in it.
const memoryShare = 0.8

// leastMemory is the least limit that can be set: with less the server does nothing but collect garbage.
const leastMemory = 64 << 20

// memoryLimit reads --memory-limit: bytes, 0 for no limit, -1 where nobody said.
func memoryLimit(said string) (int64, error) {
	if said == "" {
		return -1, nil
	}
	n, err := units.RAMInBytes(said)
	if err != nil || n < 0 {
		return 0, image.Errorf(image.Invalid, "--memory-limit is a size such as 512MiB, or 0, not %q", said)
	}
	if n > 0 && n < leastMemory {
		return 0, image.Errorf(image.Invalid, "--memory-limit must be at least %s, or 0", units.BytesSize(leastMemory))
	}
	return n, nil
}

// limitMemory sets the soft memory limit: what the flag says, else what GOMEMLIMIT says, else a share of what the
// container or the machine has, whichever is less.
func limitMemory(flag int64, log *slog.Logger) {
	switch {
	case flag > 0:
		debug.SetMemoryLimit(flag)
	case flag < 0:
		if _, err := memlimit.Set(memlimit.WithRatio(memoryShare),
			memlimit.WithProvider(lesser(memlimit.FromCgroup, memlimit.FromSystem))); err != nil {
			log.Warn("nothing says how much memory there is, so the server sets itself no limit; --memory-limit does", "error",
				err)
			return
		}
	}
	log.Debug("soft memory limit", "bytes", debug.SetMemoryLimit(-1))
}

// lesser returns the least of what providers say, as far as they know.
func lesser(providers ...memlimit.Provider) memlimit.Provider {
	return func() (uint64, error) {
		var least uint64
		var errs []error
		for _, p := range providers {
			n, err := p()
			if err != nil {
				errs = append(errs, err)
				continue
			}
			if least == 0 || n < least {
				least = n
			}
		}
		if least == 0 {
			return 0, fmt.Errorf("ask for the memory limit: %w", errors.Join(errs...))
		}
		return least, nil
	}
}
