package registry

import "time"

// Allowance is what a registry said of its rate limit (ratelimit-limit and ratelimit-remaining, as Docker Hub
// sends them with manifests). It is never guessed.
type Allowance struct {
	Limit     int // manifests in a Window; 0 where it was not said
	Remaining int
	Window    time.Duration
	At        time.Time // when it was said
}

// Allowance gives what a registry said last; false where it never said anything, or no longer limits us.
func (c *Client) Allowance(host string) (Allowance, bool) { return Allowance{}, false }
