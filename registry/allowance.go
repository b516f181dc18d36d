package registry

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Allowance is what a registry said of its rate limit (ratelimit-limit and ratelimit-remaining, as Docker Hub
// sends them with manifests). It is never guessed.
type Allowance struct {
	Limit     int // manifests in a Window; 0 where it was not said
	Remaining int
	Window    time.Duration // 0 where it was not said
	At        time.Time     // when it was said
}

// allowances is what registries said, by host.
type allowances struct {
	mu   sync.Mutex
	said map[string]Allowance
}

func (a *allowances) of(host string) (Allowance, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	said, found := a.said[strings.ToLower(host)]
	return said, found
}

// hear takes in the answer to a request for a manifest. A success that says nothing means that there is no
// limit any more; a failure that says nothing means nothing.
func (a *allowances) hear(host string, resp *http.Response) {
	said, ok := parseAllowance(resp.Header)
	if !ok && resp.StatusCode != http.StatusOK {
		return
	}
	said.At = time.Now()
	host = strings.ToLower(host)
	a.mu.Lock()
	defer a.mu.Unlock()
	if !ok {
		delete(a.said, host)
		return
	}
	if a.said == nil {
		a.said = map[string]Allowance{}
	}
	if _, known := a.said[host]; !known {
		for other := range a.said {
			if len(a.said) < maxHosts {
				break
			}
			delete(a.said, other)
		}
	}
	a.said[host] = said
}

// maxWindow bounds what a window can be. Docker Hub's is six hours.
const maxWindow = 31 * 24 * time.Hour

// quota is "100;w=21600": a number of requests, and the window in seconds.
var quota = regexp.MustCompile(`^([0-9]{1,9})(?:;\s*w=([0-9]{1,9}))?$`)

// parseAllowance reads ratelimit-remaining and ratelimit-limit (https://docs.docker.com/docker-hub/usage/pulls/).
// What makes no sense counts as not said.
func parseAllowance(h http.Header) (Allowance, bool) {
	remaining, window, ok := parseQuota(h.Get("Ratelimit-Remaining"))
	if !ok {
		return Allowance{}, false
	}
	a := Allowance{Remaining: remaining, Window: window}
	if limit, window, ok := parseQuota(h.Get("Ratelimit-Limit")); ok {
		a.Limit = limit
		if window > 0 {
			a.Window = window
		}
		if a.Remaining > a.Limit {
			return Allowance{}, false
		}
	}
	return a, true
}

func parseQuota(s string) (n int, window time.Duration, ok bool) {
	m := quota.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return 0, 0, false
	}
	n, _ = strconv.Atoi(m[1]) // nine digits at most
	seconds, _ := strconv.Atoi(m[2])
	window = time.Duration(seconds) * time.Second
	return n, window, window <= maxWindow
}
