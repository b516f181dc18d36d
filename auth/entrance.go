package auth

import (
	"context"
	"errors"
	"time"
)

// Options are what an Entrance needs.
type Options struct {
	People   PeopleStore
	Sessions SessionStore
	Tokens   TokenStore
	Record   RecordStore

	LongestToken time.Duration    // that a token may last; zero: for ever
	Now          func() time.Time // may be nil
}

// Entrance lets people and programs in. Its methods may be called from any number of goroutines.
type Entrance struct {
	people    PeopleStore
	sessions  SessionStore
	tokens    TokenStore
	passwords *Passwords
	slow      *slowdown
	record    RecordStore
	refusals  *refusals
	uses      *uses
	live      live
	now       func() time.Time

	longestToken time.Duration
}

// NewEntrance makes an Entrance. Run has to run beside it.
func NewEntrance(o Options) *Entrance {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Entrance{
		longestToken: o.LongestToken,
		people:       o.People, sessions: o.Sessions, tokens: o.Tokens, now: o.Now,
		passwords: NewPasswords(), slow: newSlowdown(o.Now), record: o.Record, refusals: newRefusals(o.Now), uses: newUses(),
	}
}

// Run writes refusals as they come and last uses every minute, and ends what follows a session that has ended. It
// returns when ctx ends, after it has written the rest. What cannot be written is told to problem.
func (e *Entrance) Run(ctx context.Context, problem func(error)) {
	tick := time.NewTicker(usesEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := errors.Join(e.Flush(ctx), e.Recheck(ctx)); err != nil && ctx.Err() == nil {
				problem(err)
			}
		case <-e.refusals.wake:
			if err := e.refusals.flush(ctx, e.record, false); err != nil && ctx.Err() == nil {
				problem(err)
			}
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			if err := errors.Join(e.Flush(last), e.refusals.flush(last, e.record, true)); err != nil {
				problem(err)
			}
			return
		}
	}
}

// Flush writes when sessions and tokens were used last, and what was refused.
func (e *Entrance) Flush(ctx context.Context) error {
	sessions, tokens := e.uses.take()
	var written error
	if len(sessions) > 0 {
		written = e.sessions.Seen(ctx, sessions)
	}
	if written == nil && len(tokens) > 0 {
		written = e.tokens.Used(ctx, tokens)
	}
	if written != nil {
		e.uses.giveBack(sessions, tokens)
	}
	return errors.Join(written, e.refusals.flush(ctx, e.record, false))
}

// Lasting returns ctx for an answer that lasts: it ends when what p showed does. Call stop when the answer is over.
func (e *Entrance) Lasting(ctx context.Context, p Principal) (lasts context.Context, stop func()) {
	lasts, end := context.WithCancelCause(ctx)
	if !p.Until.IsZero() {
		var cancel context.CancelFunc
		lasts, cancel = context.WithTimeoutCause(lasts, p.Until.Sub(e.now()), errEnded)
		inner := end
		end = func(err error) { inner(err); cancel() }
	}
	if p.Via != ViaSession && p.Via != ViaToken {
		return lasts, func() { end(nil) }
	}
	id := e.live.add(lasting{shown{p.Via, p.Holds}, end})
	return lasts, func() { e.live.remove(id); end(nil) }
}

// Recheck ends the answers of whoever's session or token has ended. It is called when one was ended, a person disabled
// or a role changed, so that this takes effect at once.
func (e *Entrance) Recheck(ctx context.Context) error {
	var errs []error
	for key, ends := range e.live.held() {
		stands := e.sessions.Stands
		if key.via == ViaToken {
			stands = e.tokens.Stands
		}
		good, err := stands(ctx, key.holds)
		errs = append(errs, err)
		if err == nil && !good {
			for _, end := range ends {
				end(errEnded)
			}
		}
	}
	return errors.Join(errs...)
}
