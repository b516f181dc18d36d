package lookup

import (
	"github.com/stowage/stowage/views/offer"
)

// Allowance returns what a registry said last of its rate limit, for views.AllowanceLine; nil where it never
// said anything, or so long ago that the count has begun anew.
func (h *Desk) Allowance(host string) *offer.Allowance {
	if h.Registry == nil {
		return nil
	}
	a, said := h.Registry.Allowance(host)
	if !said || a.Window > 0 && h.Site.Now().Sub(a.At) > a.Window {
		return nil
	}
	v := offer.Allowance{Registry: host, Limit: a.Limit, Remaining: a.Remaining, Window: a.Window, At: a.At}
	if listed, known := h.Registry.Find(host); known {
		v.Registry = listed.Name()
	}
	return &v
}
