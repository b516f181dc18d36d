package pull

import (
	"time"

	"github.com/stowage/stowage/share"
)

// A transfer that brings less than leastBytes while it is waited for leastTime is ended and tried again later: it gives
// its place to others, and what it brought is kept. That is some 1 kB a second: a line of 50 kB/s can be shared by forty
// transfers without one of them being ended. It is as much as a failed try must bring to count as progress, so that
// what only drips ends after Backoff.Tries.
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

// downloadRules shares downloads out: a registry that is slow, and somebody who wants very many, may hold the usual
// ones, and never those beyond them that others find.
func downloadRules(usual int) share.Rules {
	return share.Rules{Usual: usual, PerHost: hostDownloads, PerRequester: oneDownload, Most: 2*usual + moreDownloads}
}

// MostDownloads gives how many blobs are downloaded at once at most, from one registry too, where so many are usual.
func MostDownloads(usual int) int {
	return downloadRules(usual).Most + downloadRules(urgentAtOnce).Most
}
