package page

import (
	"strings"
	"testing"
	"time"

	"github.com/stowage/stowage/views/ui"
)

func TestTheCookieOfAMessageIsNoLongerThanBrowsersTake(t *testing.T) {
	value := writeFlash(ui.Flash{Kind: ui.KindSuccess, Text: strings.Repeat("삭제 ", 5000), Undo: 1 << 60, Until: time.Unix(1<<32, 0)})
	if len(value) > 3000 {
		t.Errorf("%d bytes", len(value))
	}
}
