package lookup

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull/resolve"
)

func TestFewPlatformsAreShownInTheIndexsOrderWithoutAFilter(t *testing.T) {
	var r resolve.Resolution
	for i := range resolve.MaxOffers {
		r.Offers = append(r.Offers, resolve.Offer{Platform: image.Platform{OS: "linux", Architecture: fmt.Sprint("odd", i)}, Default: i == 5})
	}
	v := OffersWanted{Page: 9, Find: "odd3"}.view(r)
	if len(v.rows) != resolve.MaxOffers || !slices.IsSorted(v.rows) || v.pages != 1 || !v.ticked[5] {
		t.Errorf("%+v", v)
	}
}
