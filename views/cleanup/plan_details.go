package cleanup

import (
	"context"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/marks"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// PlanSummary is what a plan comes to, for the bar with the button: "Frees 28.9 MB".
func PlanSummary(ctx context.Context, p shelf.RemovalPlan) string {
	if p.Totals.Blobs == 0 {
		return text.T(ctx, "delete.frees_nothing")
	}
	return text.T(ctx, "delete.frees", "Size", text.HumanSize(p.Totals.Freed))
}

// PlanCounts counts what PlanSummary is about: exact bytes, images, layers.
func PlanCounts(ctx context.Context, p shelf.RemovalPlan) string {
	if p.Totals.Blobs == 0 && p.Totals.Untagged == 0 {
		return ""
	}
	if p.Totals.Blobs == 0 {
		return text.T(ctx, "delete.nothing_deleted", text.Count, p.Totals.Untagged)
	}
	parts := []string{text.ExactBytes(ctx, p.Totals.Freed), text.T(ctx, "delete.images", text.Count, p.Totals.Images),
		text.T(ctx, "delete.layers", text.Count, p.Totals.Layers)}
	return strings.Join(parts, " · ")
}

// planRefused are the lines for what the rules keep, and why.
func planRefused(p shelf.RemovalPlan) []ui.PlanLine {
	var lines []ui.PlanLine
	for _, i := range p.Items {
		if i.Refusal != nil {
			kind := ui.PlanRefuse
			if p.Prune != nil { // nobody named it, so nobody is refused anything
				kind = ui.PlanKeep
			}
			lines = append(lines, ui.PlanLine{Kind: kind, What: planItem(i.Item), Why: refusalWords(*i.Refusal), Size: -1})
		}
	}
	return lines
}

// refusalLabel is what the references of a refusal are; empty where its sentence says more.
func refusalLabel(ctx context.Context, reason shelf.RefusalReason) string {
	switch reason {
	case shelf.RefusedBase:
		return text.T(ctx, "delete.why_base")
	case shelf.RefusedReferenced:
		return text.T(ctx, "delete.why_referenced")
	}
	return ""
}

// planGoing are the lines for what is untagged and deleted.
func planGoing(ctx context.Context, p shelf.RemovalPlan) []ui.PlanLine {
	var lines []ui.PlanLine
	for _, ref := range p.Untagged {
		detail := ""
		if ref.Digest != "" && p.Prune == nil && !asksFor(p, ref) {
			detail = text.T(ctx, "delete.digest_reference")
		}
		lines = append(lines, ui.PlanLine{Kind: ui.PlanUntag, What: ui.Reference(ref), Detail: detail, Size: -1})
	}
	lines = ui.WithMore(ctx, lines, ui.PlanUntag, p.Totals.Untagged)
	return append(lines, planImages(ctx, p)...)
}

// planImages are the lines for the images that are deleted.
func planImages(ctx context.Context, p shelf.RemovalPlan) []ui.PlanLine {
	var lines []ui.PlanLine
	for _, i := range p.Deleted {
		lines = append(lines, ui.PlanLine{Kind: ui.PlanDelete, What: planImage(i),
			Detail: text.T(ctx, "delete.image_layers", "Size", text.HumanSize(i.Size)), Size: -1})
	}
	return ui.WithMore(ctx, lines, ui.PlanDelete, p.Totals.Images)
}

// asksFor reports whether a reference was asked for by name.
func asksFor(p shelf.RemovalPlan, ref image.Reference) bool {
	return slices.ContainsFunc(p.Asked.Items, func(i shelf.RemovalItem) bool { return i.ID == "" && i.Reference == ref })
}

// planStays are the lines for the blobs that stay, and for whom; neighbours of a kind that stay for the same reason
// share a line.
func planStays(ctx context.Context, p shelf.RemovalPlan) []ui.PlanLine {
	var lines []ui.PlanLine
	for stays := p.Stays; len(stays) > 0; {
		n, size := 0, int64(0)
		for n < len(stays) && sameReason(stays[n], stays[0]) {
			size += stays[n].Size
			n++
		}
		lines = append(lines, ui.PlanLine{Kind: ui.PlanKeep, What: planBlobs(stays[:n]), Detail: staysFor(ctx, stays[0]),
			Size: size})
		stays = stays[n:]
	}
	if more := p.Totals.Stays - len(p.Stays); more > 0 {
		lines = append(lines, ui.PlanLine{Kind: ui.PlanKeep, What: ui.Text(text.T(ctx, "delete.more", text.Count, more)),
			Size: -1})
	}
	return lines
}

func sameReason(a, b shelf.PlanBlob) bool {
	return a.Kind == b.Kind && a.Users == b.Users && a.Held == b.Held && slices.Equal(a.UsedBy, b.UsedBy)
}

// staysFor says why a blob stays.
func staysFor(ctx context.Context, b shelf.PlanBlob) string {
	var reasons []string
	if b.Users > 0 || len(b.UsedBy) > 0 {
		reasons = append(reasons, usedBy(ctx, b))
	}
	if b.Held {
		reasons = append(reasons, text.T(ctx, "delete.held"))
	}
	return strings.Join(reasons, " · ")
}

// usedBy names those for whom a blob stays.
func usedBy(ctx context.Context, b shelf.PlanBlob) string {
	names := make([]string, len(b.UsedBy))
	for i, ref := range b.UsedBy {
		names[i] = ui.ShortReference(ref)
	}
	list := strings.Join(names, ", ")
	if more := b.Users - len(b.UsedBy); more > 0 {
		return text.T(ctx, "delete.used_by_more", "Names", list, text.Count, more)
	}
	return text.T(ctx, "delete.used_by", "Names", list)
}

// planRemains are the lines for the references that stay.
func planRemains(ctx context.Context, p shelf.RemovalPlan) []ui.PlanLine {
	var lines []ui.PlanLine
	for _, r := range p.Remains {
		lines = append(lines, ui.PlanLine{Kind: ui.PlanKeep, What: marks.ReferenceLink(r.Reference),
			Detail: stillHas(ctx, p, r), Size: -1})
	}
	return ui.WithMore(ctx, lines, ui.PlanKeep, p.Totals.Remains)
}

// stillHas says what stays of a reference that stays, and what it loses where that is one platform of one thing asked
// for. Without force, a platform is only deleted where all references to it are on the index that was named.
func stillHas(ctx context.Context, p shelf.RemovalPlan, r shelf.PlanRemains) string {
	left := ui.PlatformNames(r.Platforms)
	if left == "" {
		return ""
	}
	lost := lostPlatform(p)
	switch {
	case len(p.Asked.Items) != 1 || lost == "" || asksFor(p, r.Reference):
		return text.T(ctx, "delete.with_platforms", "Platforms", left)
	case p.Asked.Items[0].ID == "" && !p.Asked.Force:
		return text.T(ctx, "delete.same_index", "Lost", lost, "Platforms", left)
	}
	return text.T(ctx, "delete.loses", "Lost", lost, "Platforms", left)
}

// lostPlatform is the platform of the images that a plan deletes; empty where it is unknown or not one.
func lostPlatform(p shelf.RemovalPlan) string {
	if len(p.Deleted) == 0 || slices.ContainsFunc(p.Deleted,
		func(i shelf.PlanImage) bool { return i.Platform != p.Deleted[0].Platform }) {
		return ""
	}
	return p.Deleted[0].Platform.String()
}

// blobKind words what a blob is.
func blobKind(ctx context.Context, kind string) string {
	switch kind {
	case "index":
		return text.T(ctx, "delete.kind_index")
	case "manifest":
		return text.T(ctx, "delete.kind_manifest")
	case "config":
		return text.T(ctx, "delete.kind_config")
	case "attestation":
		return text.T(ctx, "attestations.kind")
	}
	return text.T(ctx, "delete.kind_layer")
}

// blobsKind words what blobs that stay are: a manifest stands for the whole image.
func blobsKind(ctx context.Context, kind string, n int) string {
	switch kind {
	case "manifest":
		return text.T(ctx, "delete.kept_images", text.Count, n)
	case "layer":
		return text.T(ctx, "delete.layers", text.Count, n)
	}
	return blobKind(ctx, kind)
}

// shownLines is how many lines of a part are open; the rest is folded away.
const shownLines = 60

// shownBlobs is how many blobs one line names; the rest is folded away.
const shownBlobs = 8

// fold splits a list into what is shown and what is folded away: one entry alone is not worth a fold.
func fold[E any](list []E, shown int) (open, folded []E) {
	if len(list) <= shown+1 {
		return list, nil
	}
	return list[:shown], list[shown:]
}

// removalName words what is to be deleted: "ubuntu:22.04", "ubuntu:22.04 (linux/arm64)", "image 174c8c134b2a".
func removalName(ctx context.Context, asked shelf.RemovalItem) string {
	name := ui.ShortReference(asked.Reference)
	if asked.ID != "" {
		name = text.T(ctx, "delete.image", "ID", image.ShortDigest(asked.ID))
	}
	if asked.Platform != (image.Platform{}) {
		name += " (" + asked.Platform.String() + ")"
	}
	return name
}

// itemURL is the page of what is to be deleted.
func itemURL(item shelf.RemovalItem) templ.SafeURL {
	if item.ID != "" {
		return templ.URL(address.OfID(item.ID).String())
	}
	return templ.URL(address.Of(item.Reference).For(item.Platform).String())
}
