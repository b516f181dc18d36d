package response

import "testing"

func TestWhatIsRefusedLasts(t *testing.T) {
	for status, want := range map[int]bool{400: true, 403: true, 404: true, 408: false, 409: true, 425: false, 429: false,
		451: true, 500: false, 501: true, 503: false} {
		if got := (&StatusError{Code: status}).Lasts(); got != want {
			t.Errorf("%d: %v", status, got)
		}
	}
}
