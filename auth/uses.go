package auth

import (
	"maps"
	"sync"
	"time"
)

// usesEvery is how often it is written when sessions and tokens were used last.
const usesEvery = time.Minute

// uses are the last uses of sessions and tokens that are not written yet. Only what was found good comes in here, so
// there are as many as there are of those.
type uses struct {
	mu       sync.Mutex
	sessions map[int64]time.Time
	tokens   map[int64]TokenUse
}

func newUses() *uses { return &uses{sessions: map[int64]time.Time{}, tokens: map[int64]TokenUse{}} }

func (u *uses) session(id int64, at time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sessions[id] = at
}

// seen returns when a session was used last, if that is not written yet.
func (u *uses) seen(id int64) time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.sessions[id]
}

func (u *uses) token(id int64, use TokenUse) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.tokens[id] = use
}

// giveBack has what take returned written the next time.
func (u *uses) giveBack(sessions map[int64]time.Time, tokens map[int64]TokenUse) {
	u.mu.Lock()
	defer u.mu.Unlock()
	maps.Copy(sessions, u.sessions) // what came meanwhile is newer
	maps.Copy(tokens, u.tokens)
	u.sessions, u.tokens = sessions, tokens
}

// take returns what is not written, and forgets it.
func (u *uses) take() (sessions map[int64]time.Time, tokens map[int64]TokenUse) {
	u.mu.Lock()
	defer u.mu.Unlock()
	sessions, tokens = maps.Clone(u.sessions), maps.Clone(u.tokens)
	clear(u.sessions)
	clear(u.tokens)
	return sessions, tokens
}
