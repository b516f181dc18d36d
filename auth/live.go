package auth

import (
	"context"
	"errors"
	"sync"
)

// live are the answers under way that last as long as somebody may see them, such as event streams.
type live struct {
	mu   sync.Mutex
	last int64
	all  map[int64]lasting
}

type lasting struct {
	shown
	end context.CancelCauseFunc
}

// shown is a session or a token.
type shown struct {
	via   Via
	holds int64
}

// errEnded is why an answer that lasted has ended.
var errEnded = errors.New("the session or token has ended")

func (l *live) add(one lasting) (id int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = map[int64]lasting{}
	}
	l.last++
	l.all[l.last] = one
	return l.last
}

func (l *live) remove(id int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.all, id)
}

// held lists the answers under way by what was shown for them.
func (l *live) held() map[shown][]context.CancelCauseFunc {
	l.mu.Lock()
	defer l.mu.Unlock()
	by := map[shown][]context.CancelCauseFunc{}
	for _, one := range l.all {
		by[one.shown] = append(by[one.shown], one.end)
	}
	return by
}
