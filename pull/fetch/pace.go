package fetch

import (
	"time"
)

const progressBytes = 64 << 10 // what a failed try must have brought to count as progress

// A transfer that brings less than leastBytes while it is waited for leastTime is ended and tried again later: it gives
// its place to others, and what it brought is kept. That is some 1 kB a second: a line of 50 kB/s can be shared by
// forty transfers without one of them being ended. It is as much as a failed try must bring to count as progress, so
// that what only drips ends after Backoff.Tries.
const (
	leastBytes = progressBytes
	leastTime  = time.Minute
)

// pace holds a transfer against the least rate. The time that the disk takes is not the registry's.
type pace struct {
	got    int64
	waited time.Duration
}

func (p *pace) counts(n int, waited time.Duration) {
	p.got += int64(n)
	p.waited += waited
	if p.got >= leastBytes {
		*p = pace{}
	}
}

func (p *pace) drips() bool { return p.waited >= leastTime }
