package imagepage

import (
	"context"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/text"
)

// Attested says what is stored about an image: what it is made of, where it comes from.
type Attested struct {
	Stored bool
	Kinds  []image.PredicateKind // what the stored statements tell
	URL    string                // where its manifest is shown, or, where it is not stored, what the index lists
}

// predicateKinds word what statements tell.
var predicateKinds = map[image.PredicateKind]text.MessageID{
	image.PredicateSBOM:       "attestations.sbom",
	image.PredicateProvenance: "attestations.provenance",
	image.PredicateOther:      "attestations.unsorted",
}

// predicates words what statements tell, for a list.
func predicates(ctx context.Context, kinds []image.PredicateKind) string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = text.T(ctx, predicateKinds[k])
	}
	return strings.Join(names, ", ")
}

// label words what is stored.
func (a Attested) label(ctx context.Context) string {
	switch {
	case !a.Stored:
		return text.T(ctx, "attestations.missing")
	case len(a.Kinds) == 0:
		return text.T(ctx, "attestations.stored")
	}
	return text.T(ctx, "attestations.stored_kinds", "Kinds", predicates(ctx, a.Kinds))
}

// meaning says more of it.
func (a Attested) meaning(ctx context.Context) string {
	if a.Stored {
		return text.T(ctx, "attestations.stored_meaning")
	}
	return text.T(ctx, "attestations.missing_meaning")
}
