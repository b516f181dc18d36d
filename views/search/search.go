package search

// The parts of the Search page that htmx swaps by themselves. The handler knows from HX-Target which one is
// wanted.
const (
	SearchResultsID = "search-results" // the results
	SearchPickerID  = "search-picker"  // the picked repository: its tags and, below them, the platforms
	SearchTagsID    = "search-tags"    // the list of its tags
	SearchOffersID  = "search-offers"  // the picked tag's platforms
)
