package registry

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/test/outside"
)

// limited is a registry that says in its next answer what the test wants it to.
func limited(t *testing.T) (c *Client, host string, say func(status int, limit, remaining string)) {
	t.Helper()
	raw := newImage(t, []byte("layer")).raw
	var status int
	var limit, remaining string
	_, host = outside.Server(t, func(w http.ResponseWriter, _ *http.Request) {
		for name, value := range map[string]string{"ratelimit-limit": limit, "ratelimit-remaining": remaining} {
			if value != "" {
				w.Header().Set(name, value)
			}
		}
		if status != http.StatusOK {
			outside.ErrorBody(w, status, "X", "x")
			return
		}
		manifest(w, ocispec.MediaTypeImageManifest, raw)
	})
	c = client(t, Options{})
	return c, host, func(s int, l, r string) {
		t.Helper()
		status, limit, remaining = s, l, r
		_, err := c.Head(t.Context(), mustRef(t, host+"/app:1"))
		_, err2 := c.Document(t.Context(), mustRef(t, host+"/app:1"))
		if success := status == http.StatusOK; (err == nil) != success || (err2 == nil) != success {
			t.Fatalf("%d gives %v, %v", status, err, err2)
		}
	}
}

func TestTheAllowanceIsWhatTheRegistrySaidLast(t *testing.T) {
	c, host, say := limited(t)
	if a, said := c.Allowance(host); said {
		t.Errorf("before anything was said: %+v", a)
	}
	check := func(limit, remaining int) {
		t.Helper()
		a, said := c.Allowance(host)
		if !said || a.Limit != limit || a.Remaining != remaining || a.Window != 6*time.Hour ||
			time.Since(a.At) > time.Minute {
			t.Errorf("allowance is %+v, %v", a, said)
		}
	}
	say(http.StatusOK, "100;w=21600", "76;w=21600")
	check(100, 76)
	say(http.StatusNotFound, "100;w=21600", "75;w=21600")
	check(100, 75)
	say(http.StatusTooManyRequests, "100;w=21600", "0;w=21600")
	check(100, 0)
	say(http.StatusTooManyRequests, "", "")
	check(100, 0)
	say(http.StatusOK, "", "3; w=21600")
	check(0, 3)
	if _, said := c.Allowance("other.test"); said {
		t.Error("another registry has one too")
	}
	say(http.StatusOK, "", "")
	if a, said := c.Allowance(host); said {
		t.Errorf("after a success that says nothing: %+v", a)
	}
}

func TestAllowancesThatMakeNoSenseAreNotSaid(t *testing.T) {
	for _, tt := range [][2]string{
		{"100;w=21600", ""}, {"100;w=21600", "-1;w=21600"}, {"100;w=21600", "many"}, {"100", "101"},
		{"", "99999999999999999999"},
		{"", "5;w=999999999"}, {"", "5;w=-1"}, {"", "1e3"}, {"", "5;w=60, 6;w=70"}, {"", "٣"},
	} {
		h := http.Header{}
		h.Set("RateLimit-Limit", tt[0])
		h.Set("RateLimit-Remaining", tt[1])
		if a, said := parseAllowance(h); said {
			t.Errorf("%q is %+v", tt, a)
		}
	}
}

func TestAllowancesRememberedAreBounded(t *testing.T) {
	c := client(t, Options{})
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Ratelimit-Remaining": {"1"}}}
	for i := range 3 * maxHosts {
		c.upstreams.rates.hear(fmt.Sprintf("r%d.test", i), resp)
	}
	if n := len(c.upstreams.rates.said); n > maxHosts {
		t.Errorf("%d are remembered", n)
	}
	if _, said := c.Allowance(fmt.Sprintf("r%d.test", 3*maxHosts-1)); !said {
		t.Error("the newest is not")
	}
}
