package handlers

import (
	"github.com/stowage/stowage/views/offer"
)

// allowance gives what a registry said last of its rate limit, for views.AllowanceLine; nil where it never
// said anything, or so long ago that the count has begun anew.
func (h *Handlers) allowance(host string) *offer.Allowance {
	if h.registry == nil {
		return nil
	}
	a, said := h.registry.Allowance(host)
	if !said || a.Window > 0 && h.options.Now().Sub(a.At) > a.Window {
		return nil
	}
	v := offer.Allowance{Registry: host, Limit: a.Limit, Remaining: a.Remaining, Window: a.Window, At: a.At}
	if listed, known := h.registry.Find(host); known {
		v.Registry = listed.Name()
	}
	return &v
}
