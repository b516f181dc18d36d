package auth

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/memo"
	"github.com/stowage/stowage/share"
)

// How sign-ins are slowed down. Nobody is locked out: waits end after a minute, and who has signed in from an address
// before is not slowed there by what others try elsewhere or beside them.
const (
	freeTries    = 5                // of an account, before there are waits
	longestWait  = time.Minute      // they double up to this
	triesForget  = 15 * time.Minute // after which an account's failures are forgotten
	addressBurst = 20               // failures of an address
	addressEvery = 3 * time.Second  // in which an address has one more
	mostUnderway = 100              // tries of an address at once: a whole company may come from one
	codeTries    = 5
	codeSpan     = time.Minute // for codeTries
	mostSlowed   = 20_000      // accounts, and addresses, that are remembered; some MB
	longestKey   = 256         // bytes of a name that somebody typed
)

// slowdown decides whether a sign-in may be tried now, before anything is hashed or looked up.
type slowdown struct {
	now func() time.Time

	mu        sync.Mutex
	accounts  *memo.Recent[account, tries]
	addresses *memo.Recent[string, *addressTries]
	known     *memo.Recent[account, bool] // with an address that somebody has signed in from
	codes     *memo.Recent[string, [codeTries]time.Time]
}

// account is a name that somebody typed. Where it has signed in from an address before, that one counts by itself.
type account struct{ name, address string }

// tries are the failed ones of an account, and those under way.
type tries struct {
	n    int
	last time.Time
}

type addressTries struct {
	failures *rate.Limiter
	underway int
}

func newSlowdown(now func() time.Time) *slowdown {
	return &slowdown{
		now:       now,
		accounts:  memo.NewRecent[account, tries](mostSlowed),
		addresses: memo.NewRecent[string, *addressTries](mostSlowed),
		known:     memo.NewRecent[account, bool](mostSlowed),
		codes:     memo.NewRecent[string, [codeTries]time.Time](mostSlowed),
	}
}

// attempt is a sign-in under way. Call one of failed, passed and dropped, once.
type attempt struct {
	s       *slowdown
	account account
	pair    account       // with the address
	address *addressTries // nil where the address does not count
	before  tries
}

// try begins a sign-in, or refuses it with image.RateLimited. Until the attempt has ended it counts as failed, so that
// many at once are not free.
func (s *slowdown) try(name, address string) (*attempt, error) {
	name, address = name[:min(len(name), longestKey)], share.Requester(address)
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &attempt{s: s, account: account{name: name}, pair: account{name, address}}
	if known, _ := s.known.Get(a.pair); known {
		a.account = a.pair
	} else {
		of, found := s.addresses.Get(address)
		if !found {
			of = &addressTries{failures: rate.NewLimiter(rate.Every(addressEvery), addressBurst)}
			s.addresses.Put(address, of)
		}
		left := of.failures.TokensAt(s.now())
		if left < 1 || of.underway >= mostUnderway {
			return nil, s.slowed(time.Duration((1 - min(left, 1)) * float64(addressEvery)))
		}
		a.address = of
	}
	now := s.now()
	a.before, _ = s.accounts.Get(a.account)
	if now.Sub(a.before.last) > triesForget {
		a.before = tries{}
	}
	if until := a.before.last.Add(wait(a.before.n)); until.After(now) {
		return nil, s.slowed(until.Sub(now))
	}
	if a.address != nil {
		a.address.underway++
	}
	s.accounts.Put(a.account, tries{a.before.n + 1, now})
	return a, nil
}

// wait returns how long after n failures the next try has to wait.
func wait(n int) time.Duration {
	if n < freeTries {
		return 0
	}
	return min(longestWait, time.Second<<min(n-freeTries, 10))
}

// slowed returns the refusal of what may be tried again after wait.
func (s *slowdown) slowed(wait time.Duration) error {
	seconds := max(1, int((wait+time.Second-1)/time.Second))
	return later{s.now().Add(wait), image.Errorf(image.RateLimited, "too many tries to sign in").
		Suggest("Try again in %d seconds.", seconds)}
}

// later is an error that knows when it will be none; see image.RetryTime.
type later struct {
	at time.Time
	error
}

// RetryAt returns when to try again.
func (l later) RetryAt() time.Time { return l.at }

// Unwrap returns the error.
func (l later) Unwrap() error { return l.error }

// failed counts the attempt.
func (a *attempt) failed() {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	if a.address != nil {
		a.address.underway--
		a.address.failures.ReserveN(a.s.now(), 1) // goes below zero where several failed at once
	}
}

// passed forgets the account's failures, and remembers that it signs in from this address.
func (a *attempt) passed() {
	a.dropped()
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	a.s.accounts.Take(a.account)
	a.s.known.Put(a.pair, true)
}

// dropped takes an attempt back that came to no answer.
func (a *attempt) dropped() {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	if a.address != nil {
		a.address.underway--
	}
	a.s.accounts.Change(a.account, func(t tries) tries { return tries{max(0, t.n-1), a.before.last} })
}

// code counts a try of a one-time code from an address, and returns how many more there may be within the minute; it
// refuses one too many with image.RateLimited. Only an address is slowed: codes cannot be guessed by many of them
// either, and nobody can keep somebody else from using theirs.
func (s *slowdown) code(address string) (left int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.codes.Change(share.Requester(address), func(last [codeTries]time.Time) [codeTries]time.Time {
		if until := last[0].Add(codeSpan); until.After(now) {
			err = s.slowed(until.Sub(now))
			return last
		}
		copy(last[:], last[1:])
		last[codeTries-1] = now
		for _, at := range last {
			if !at.Add(codeSpan).After(now) {
				left++
			}
		}
		return last
	})
	return left, err
}
