package auth

import (
	"fmt"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
)

// slowAt returns a slowdown with a clock of its own.
func slowAt() (*slowdown, *time.Time) {
	now := time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC)
	return newSlowdown(func() time.Time { return now }), &now
}

// failing fails a try, and reports whether it was let through.
func failing(t *testing.T, s *slowdown, name, address string) bool {
	t.Helper()
	a, err := s.try(name, address)
	if err != nil {
		if image.KindOf(err) != image.RateLimited {
			t.Error(err)
		}
		return false
	}
	a.failed()
	return true
}

func passing(s *slowdown, name, address string) error {
	a, err := s.try(name, address)
	if err == nil {
		a.passed()
	}
	return err
}

func TestWrongPasswordsOfAnAccountWaitLongerAndLonger(t *testing.T) {
	s, now := slowAt()
	begin := *now
	var at []int
	for i := range 600 { // seconds, from an address each
		*now = begin.Add(time.Duration(i) * time.Second)
		for j := range 10 {
			if failing(t, s, "kim", fmt.Sprintf("10.0.%d.%d", i/250, 10*(i%25)+j)) {
				at = append(at, i)
			}
		}
	}
	want := "[0 0 0 0 0 1 3 7 15 31 63 123 183 243 303 363 423 483 543]"
	if got := fmt.Sprint(at); got != want {
		t.Errorf("let through at %s, want %s", got, want)
	}
	*now = begin.Add(550 * time.Second)
	_, err := s.try("kim", "192.0.2.6")
	if at := image.RetryTime(err); !at.Equal(begin.Add(603 * time.Second)) {
		t.Errorf("try again at %s: %v", at, err)
	}
	if err := passing(s, "mira", "192.0.2.7"); err != nil {
		t.Errorf("somebody else waits, too: %v", err)
	}
	*now = now.Add(longestWait)
	if err := passing(s, "kim", "192.0.2.8"); err != nil {
		t.Errorf("after a minute: %v", err)
	}
}

func TestWhoHasSignedInFromAnAddressIsNotSlowedByOthers(t *testing.T) {
	s, _ := slowAt()
	if err := passing(s, "kim", "10.0.0.1"); err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		failing(t, s, "kim", fmt.Sprintf("192.0.2.%d", i))  // others try kim's name
		failing(t, s, fmt.Sprintf("name%d", i), "10.0.0.1") // others try from kim's address
		failing(t, s, "kim\n10.0.0.1", fmt.Sprintf("198.51.100.%d", i))
	}
	for range 3 {
		if err := passing(s, "kim", "10.0.0.1"); err != nil {
			t.Errorf("kim has to wait: %v", err)
		}
	}
	if err := passing(s, "kim", "10.0.0.2"); image.KindOf(err) != image.RateLimited {
		t.Errorf("from an address that is new: %v", err)
	}
	n := 0
	for range 20 {
		if failing(t, s, "kim", "10.0.0.1") {
			n++
		}
	}
	if n != freeTries {
		t.Errorf("%d wrong passwords at once from the address that is known", n)
	}
}

func TestAnAddressThatTriesManyNamesIsSlowed(t *testing.T) {
	s, now := slowAt()
	tries := func(address func(i int) string) (n int) {
		for i := range 100 {
			if failing(t, s, fmt.Sprintf("name%d", i), address(i)) {
				n++
			}
		}
		return n
	}
	if n := tries(func(int) string { return "192.0.2.1" }); n != addressBurst {
		t.Errorf("%d names from one address", n)
	}
	if n := tries(func(i int) string { return fmt.Sprintf("2001:db8::%x", i) }); n != addressBurst {
		t.Errorf("%d names from one network of IPv6", n)
	}
	*now = now.Add(5 * addressEvery)
	if n := tries(func(int) string { return "192.0.2.1" }); n != 5 {
		t.Errorf("%d more after a while", n)
	}
}

func TestManyWhoSignInFromOneAddressDoNotSlowEachOther(t *testing.T) {
	s, _ := slowAt()
	for i := range 500 {
		if err := passing(s, fmt.Sprintf("name%d", i), "192.0.2.1"); err != nil {
			t.Fatalf("number %d: %v", i, err)
		}
	}
}

func TestTriesUnderWayCount(t *testing.T) {
	s, now := slowAt()
	var all []*attempt
	for i := range 100 {
		if a, err := s.try("kim", fmt.Sprintf("10.0.0.%d", i)); err == nil {
			all = append(all, a)
		}
	}
	if len(all) != freeTries {
		t.Errorf("%d of one account at once", len(all))
	}
	for _, a := range all {
		a.dropped()
	}
	if !failing(t, s, "kim", "10.0.0.1") {
		t.Error("what came to no answer counts")
	}
	var under []*attempt
	for i := range 2 * mostUnderway {
		if a, err := s.try(fmt.Sprintf("name%d", i), "192.0.2.1"); err == nil {
			under = append(under, a)
		}
	}
	if len(under) != mostUnderway {
		t.Errorf("%d of one address at once", len(under))
	}
	for _, a := range under {
		a.failed()
	}
	*now = now.Add((mostUnderway - addressBurst) * addressEvery)
	if failing(t, s, "another", "192.0.2.1") {
		t.Error("what failed at once does not count")
	}
}

func TestACodeIsTriedFiveTimesAMinuteFromAnAddress(t *testing.T) {
	s, now := slowAt()
	for want := codeTries - 1; want >= 0; want-- {
		if left, err := s.code("192.0.2.1"); left != want || err != nil {
			t.Errorf("%d left, %v, want %d", left, err, want)
		}
		*now = now.Add(time.Second)
	}
	if _, err := s.code("192.0.2.1"); image.KindOf(err) != image.RateLimited {
		t.Errorf("a sixth one: %v", err)
	}
	if left, err := s.code("192.0.2.2"); left != codeTries-1 || err != nil {
		t.Errorf("from elsewhere: %d, %v", left, err)
	}
	*now = now.Add(codeSpan - 5*time.Second)
	if left, err := s.code("192.0.2.1"); left != 0 || err != nil {
		t.Errorf("a minute after the first one: %d, %v", left, err)
	}
}

func TestWhatIsRememberedOfTriesIsBounded(t *testing.T) {
	s, _ := slowAt()
	for i := range 2 * mostSlowed {
		name, address := fmt.Sprintf("name%d", i), fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)
		failing(t, s, name, address)
		_, _ = s.code(address)
		if err := passing(s, name+"x", address); err != nil {
			t.Fatal(err)
		}
	}
	if n := max(s.accounts.Len(), s.addresses.Len(), s.known.Len(), s.codes.Len()); n > mostSlowed {
		t.Errorf("%d are remembered", n)
	}
}
