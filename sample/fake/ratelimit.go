package fake

import (
	"fmt"
	"net/http"
	"sync"
	"time"
)

// RateLimit limits how many manifests may be read in a window, as Docker Hub does, and says what remains with each:
// only GET counts, HEAD is told the same for nothing. What is over the limit is answered with 429. Put it on
// [Manifests], or on [Any]: other requests pass.
func RateLimit(limit int, window time.Duration) Fault {
	var mu sync.Mutex
	var used int
	var ends time.Time
	count := func(n int) (remaining int, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); now.After(ends) {
			used, ends = 0, now.Add(window)
		}
		ok = used+n <= limit
		if ok {
			used += n
		}
		return limit - used, ok
	}
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if !Manifests(r) {
			next.ServeHTTP(w, r)
			return
		}
		n := 0
		if r.Method == http.MethodGet {
			n = 1
		}
		remaining, ok := count(n)
		h := w.Header()
		h.Set("Ratelimit-Limit", fmt.Sprintf("%d;w=%d", limit, int(window.Seconds())))
		h.Set("Ratelimit-Remaining", fmt.Sprintf("%d;w=%d", remaining, int(window.Seconds())))
		h.Set("Docker-Ratelimit-Source", "192.0.2.17")
		if !ok {
			apiError(w, http.StatusTooManyRequests, "TOOMANYREQUESTS",
				"You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: https://www.docker.com/increase-rate-limit")
			return
		}
		next.ServeHTTP(w, r)
	}
}
