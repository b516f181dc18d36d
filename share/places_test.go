package share_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stowage/stowage/share"
)

var rules = share.Rules{Usual: 4, PerHost: 2, PerRequester: 1, Most: 16}

func take(t *testing.T, p *share.Places, key share.Key) (release func()) {
	t.Helper()
	release, ok := p.Try(key)
	if !ok {
		t.Fatalf("no place for %v beside %d", key, p.Held())
	}
	return release
}

func TestAHostThatHoldsAllPlacesLeavesTwoForEachOther(t *testing.T) {
	p := share.New(rules)
	for range 4 {
		take(t, p, share.Key{Host: "slow", By: "ann"})
	}
	if _, ok := p.Try(share.Key{Host: "slow", By: "ann"}); ok {
		t.Error("the slow host has more than the usual places")
	}
	for _, host := range []string{"quick", "other"} {
		for range 2 {
			take(t, p, share.Key{Host: host, By: "ann"})
		}
		if _, ok := p.Try(share.Key{Host: host, By: "ann"}); host == "quick" && ok {
			t.Error("a third place of a host while the usual ones are held")
		}
	}
}

func TestManyNamesOfOneRequesterLeavePlacesForOthers(t *testing.T) {
	p := share.New(rules)
	for i := range 40 {
		p.Try(share.Key{Host: fmt.Sprint("host", i), By: "mallory"})
	}
	if got := p.Held(); got != rules.Most/2 {
		t.Errorf("one requester holds %d places, want %d", got, rules.Most/2)
	}
	take(t, p, share.Key{Host: "host1", By: "ann"})
	take(t, p, share.Key{Host: "quick", By: "ann"})
	for i := range 40 {
		p.Try(share.Key{Host: "quick", By: fmt.Sprint("person", i)})
	}
	if got := p.Held(); got != rules.Most {
		t.Errorf("%d places are held in all, want %d", got, rules.Most)
	}
}

// Turns are taken: who wants a hundred has as many turns as who wants three.
func TestRequestersTakeTurnsWhoeverWantsTheMost(t *testing.T) {
	p := share.New(share.Rules{Usual: 1, Most: 1})
	var waiting []string
	for range 100 {
		waiting = append(waiting, "mallory")
	}
	waiting = append(waiting, "ann", "ann", "ben", "ann")
	var order []string
	for range 8 {
		i, release, ok := p.Choose(len(waiting), func(i int) share.Key { return share.Key{By: waiting[i]} })
		if !ok {
			t.Fatal("no place")
		}
		order = append(order, waiting[i])
		waiting = slices.Delete(waiting, i, i+1)
		release()
	}
	if want := []string{"mallory", "ann", "ben", "mallory", "ann", "mallory", "ann", "mallory"}; !slices.Equal(order, want) {
		t.Errorf("turns are %v, want %v", order, want)
	}
}

func TestAPlaceThatIsFreedGoesToWhoeverHoldsTheFewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := share.New(share.Rules{Usual: 2, Most: 2})
		free := take(t, p, share.Key{By: "mallory"})
		defer take(t, p, share.Key{By: "mallory"})()
		got := make(chan string, 2)
		for _, by := range []string{"mallory", "ann"} {
			go func() {
				release, err := p.Take(t.Context(), share.Key{By: by})
				if err != nil {
					t.Errorf("%s: %v", by, err)
					return
				}
				got <- by
				release()
			}()
			synctest.Wait()
		}
		free()
		if first := <-got; first != "ann" {
			t.Errorf("%s was given the place", first)
		}
		<-got
	})
}

func TestWhoeverStopsWaitingHoldsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := share.New(share.Rules{Usual: 1, Most: 1})
		free := take(t, p, share.Key{})
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("gone"))
		defer cancel()
		if _, err := p.Take(ctx, share.Key{}); err == nil || err.Error() != "gone" {
			t.Errorf("the wait ended with %v", err)
		}
		if _, err := p.Take(ctx, share.Key{}); err == nil {
			t.Error("a place for one who has left")
		}
		free()
		if p.Held() != 0 {
			t.Errorf("%d places are held", p.Held())
		}
		take(t, p, share.Key{})()
	})
}

func TestOneAddressIsOneRequesterWhateverItCallsItself(t *testing.T) {
	for by, want := range map[string]string{
		"client 10.1.2.3 (docker/27.1)": "10.1.2.3",
		"client 10.1.2.3":               "10.1.2.3",
		"10.1.2.3":                      "10.1.2.3",
		"::ffff:10.1.2.3":               "10.1.2.3",
		"client 2001:db8::1 (curl/8)":   "2001:db8::/64",
		"2001:db8::2":                   "2001:db8::/64",
		"ann":                           "ann",
		"ann (the first)":               "ann (the first)",
		"":                              "",
	} {
		if got := share.Requester(by); got != want {
			t.Errorf("Requester(%q) is %q, want %q", by, got, want)
		}
	}
}
