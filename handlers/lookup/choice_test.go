package lookup

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull"
)

func TestFewPlatformsAreShownInTheIndexsOrderWithoutAFilter(t *testing.T) {
	var r pull.Resolution
	for i := range pull.MaxOffers {
		r.Offers = append(r.Offers, pull.Offer{Platform: image.Platform{OS: "linux", Architecture: fmt.Sprint("odd", i)}, Default: i == 5})
	}
	v := OffersWanted{Page: 9, Find: "odd3"}.View(r)
	if len(v.Rows) != pull.MaxOffers || !slices.IsSorted(v.Rows) || v.Pages != 1 || !v.Ticked[5] {
		t.Errorf("%+v", v)
	}
}
