package fetch

import (
	"context"

	"golang.org/x/sync/semaphore"

	"github.com/stowage/stowage/share"
)

const (
	urgentAtOnce  = 16 // downloads that clients wait for, beside those of pulls, as long as nobody goes short
	commitsAtOnce = 8  // an fsync mostly waits, and file systems group those that come together
	hostDownloads = 2  // downloads that each registry finds a place for, whatever others hold
	oneDownload   = 1  // the same for each requester
	moreDownloads = 20 // places beyond twice the usual ones that are for those
)

// places are what transfers wait for.
type places struct {
	usual     int                 // downloads of pulls at once, as long as nobody goes short
	downloads *share.Places       // one held by each download
	urgent    *share.Places       // held instead by one that a client waits for
	commits   *semaphore.Weighted // one held by each commit
}

func newPlaces(usual int) *places {
	return &places{
		usual: usual, downloads: share.New(downloadRules(usual)), urgent: share.New(downloadRules(urgentAtOnce)),
		commits: semaphore.NewWeighted(commitsAtOnce),
	}
}

// downloadRules shares downloads out: a registry that is slow, and somebody who wants very many, may hold the usual
// ones, and never those beyond them that others find.
func downloadRules(usual int) share.Rules {
	return share.Rules{Usual: usual, PerHost: hostDownloads, PerRequester: oneDownload, Most: 2*usual + moreDownloads}
}

// MostDownloads returns how many blobs are downloaded at once at most, from one registry too, where so many are usual.
func MostDownloads(usual int) int {
	return downloadRules(usual).Most + downloadRules(urgentAtOnce).Most
}

// take takes one of the places to download in: one of those for pulls or, once urgent is closed because a client waits
// for the blob, one of those for clients, which a long queue of pulls does not fill.
func (p *places) take(ctx context.Context, urgent <-chan struct{}, key share.Key) (free func(), err error) {
	if free, ok := p.downloads.Try(key); ok {
		return free, nil
	}
	calm, cancel := context.WithCancel(ctx)
	defer cancel()
	hurried := make(chan struct{})
	go func() {
		defer close(hurried)
		select {
		case <-urgent:
			cancel()
		case <-calm.Done():
		}
	}()
	free, err = p.downloads.Take(calm, key)
	cancel()
	<-hurried
	switch {
	case err == nil:
		return free, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	if free, ok := p.downloads.Try(key); ok {
		return free, nil
	}
	return p.urgent.Take(ctx, key)
}
