package registry

import (
	"context"
	"time"
)

// ask carries out one bounded request for a document or tags. Where credentials that once worked are
// refused it asks a second time with fresh ones: tokens get revoked, and people run docker login.
func (c *Client) ask(ctx context.Context, s subject, kind requestKind, do func(context.Context, *upstream) error) (*exchange, error) {
	for first := true; ; first = false {
		u, err := c.upstream(ctx, s)
		if err != nil {
			return nil, err
		}
		ex := &exchange{kind: kind, subject: s}
		left, err := u.within(ctx, c.opts.DocumentTimeout, ex, do)
		if left {
			ex = &exchange{kind: kind, subject: s} // the other one is still in use
		}
		if err == nil || ex.complete() {
			u.worked.Store(true)
			return ex, nil
		}
		if !c.again(ctx, u, err, ex) || !first {
			return nil, u.explain(ctx, s, ex, err)
		}
	}
}

// within runs do with the exchange in its context and a time limit of its own; see await for left.
func (u *upstream) within(ctx context.Context, limit time.Duration, ex *exchange, do func(context.Context, *upstream) error) (left bool, err error) {
	ctx, cancel := context.WithTimeout(withExchange(ctx, ex), limit)
	defer cancel()
	_, left, err = await(ctx, func() (struct{}, error) { return struct{}{}, do(ctx, u) }, func(struct{}) {})
	return left, err
}

// leaveAfter is how long a request has to notice that its context has ended.
const leaveAfter = time.Second

// await runs f. Where f goes on although ctx has ended it is left behind, with the error of ctx; what it
// gives later goes to late. regclient asks for tokens without the request's context, one at a time for a
// host, so a token server that hangs would hold up everybody, also those who have given up.
func await[T any](ctx context.Context, f func() (T, error), late func(T)) (value T, left bool, err error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		v, err := f()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.value, false, r.err
	case <-ctx.Done():
	}
	grace := time.NewTimer(leaveAfter)
	defer grace.Stop()
	select {
	case r := <-done:
		return r.value, false, r.err
	case <-grace.C:
	}
	go func() {
		if r := <-done; r.err == nil {
			late(r.value)
		}
	}()
	return value, true, ctx.Err()
}
