package search

import (
	"context"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/search"
)

const (
	BoxHits         = boxHits
	BoxRows         = boxRows
	TagsPerPage     = tagsPerPage
	PickerPartLimit = pickerPartLimit
	SearchDeadline  = searchDeadline
)

type Lead = lead

const (
	LeadsNowhere = leadsNowhere
	LeadsToImage = leadsToImage
	LeadsToPull  = leadsToPull
	LeadsToTags  = leadsToTags
)

var FailureOf = failureOf

func (h *Handlers) Understand(ctx context.Context, text string) (meaning, error) {
	return h.understand(ctx, text)
}

func (h *Handlers) SearchPicker(c echo.Context, state address.Search) (search.PickerView, error) {
	return h.searchPicker(c, state)
}

func (h *Handlers) Picker(
	c echo.Context, state address.Search, limit time.Duration, tags, offers bool,
) (search.PickerView, error) {
	return h.picker(c, state, limit, tags, offers)
}
