package removal

import (
	"slices"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// Chosen are the roots that a prune has to look at, in the order of their names, and what its filters ask about them.
type Chosen struct {
	Roots  []Root
	Labels func(manifests []image.Digest, keys []string, each func(manifest image.Digest, key, value string)) error
	Used   Used
}

// Used is what was used since a moment: when last, in milliseconds since 1970.
type Used struct {
	Downloaded, Pulled map[Key]int64
	Uncounted          int64 // since when it is counted what is handed out, where that is later; else 0
}

// of returns how a root was used, and when last; empty where it was not.
func (u Used) of(at Key) (how shelf.Use, when int64) {
	if when, ok := u.Downloaded[at]; ok {
		return shelf.UseDownloaded, when
	}
	if when, ok := u.Pulled[at]; ok {
		return shelf.UsePulled, when
	}
	if u.Uncounted != 0 {
		return shelf.UseUncounted, u.Uncounted
	}
	return "", 0
}

// choose makes the roots that a prune's filters let through the items of the plan.
func (d *decision) choose(asked shelf.Prune, c Chosen, plan *shelf.RemovalPlan) (err error) {
	chosen := make([]*item, len(c.Roots))
	for i, r := range c.Roots {
		w := &item{kind: wantedRoot, root: &root{Root: r, whole: 1}}
		w.root.wanted = []*item{w}
		w.Item.Reference = r.Reference()
		if len(r.Names) > 0 {
			w.Item.Reference = image.Reference{Repository: r.Name, Tag: r.Names[0]}
		}
		chosen[i] = w
	}
	if !asked.Until.IsZero() || len(asked.Labels)+len(asked.NotLabels) > 0 {
		if chosen, err = d.filter(chosen, asked, c); err != nil {
			return err
		}
	}
	if !asked.Unused.IsZero() {
		if chosen, err = d.unused(chosen, c.Used, plan); err != nil {
			return err
		}
	}
	for _, w := range chosen {
		d.items = append(d.items, w)
		d.byKey[w.root.Key] = w.root
		d.roots = append(d.roots, w.root)
	}
	return nil
}

// filter keeps those of the digests that a prune's filters let through. Docker's image is one platform; where a digest
// has several, each of them has to be let through, so that nothing goes that docker would keep.
func (d *decision) filter(chosen []*item, asked shelf.Prune, c Chosen) ([]*item, error) {
	platforms := map[image.Digest][]Image{}
	err := d.q.Below(digestsOf(chosen), func(b Below) {
		if !b.Index {
			platforms[b.Top] = append(platforms[b.Top], b.Image)
		}
	})
	if err != nil {
		return nil, err
	}
	labels, err := labelsOf(platforms, asked, c)
	if err != nil {
		return nil, err
	}
	has := func(i Image, l image.Label) bool {
		value, has := labels[i.Manifest][l.Key]
		return has && (l.Any || value == l.Value)
	}
	return slices.DeleteFunc(chosen, func(w *item) bool {
		images := platforms[w.root.Digest]
		return len(images) == 0 || slices.ContainsFunc(images, func(i Image) bool {
			return !asked.Until.IsZero() && !before(i.Created, asked.Until) ||
				slices.ContainsFunc(asked.Labels, func(l image.Label) bool { return !has(i, l) }) ||
				slices.ContainsFunc(asked.NotLabels, func(l image.Label) bool { return has(i, l) })
		})
	}), nil
}

// before reports whether something was created before a moment; what does not say when never was.
func before(created, until time.Time) bool { return !created.IsZero() && created.Before(until) }

// digestsOf returns the digests of the items' roots, each once.
func digestsOf(chosen []*item) []image.Digest {
	all := make([]image.Digest, len(chosen))
	for i, w := range chosen {
		all[i] = w.root.Digest
	}
	return slices.Compact(sorted(all))
}

// labelsOf returns the values of the labels that a prune asks about, by manifest and key.
func labelsOf(
	platforms map[image.Digest][]Image, asked shelf.Prune, c Chosen,
) (map[image.Digest]map[string]string, error) {
	var keys []string
	for _, l := range slices.Concat(asked.Labels, asked.NotLabels) {
		keys = append(keys, l.Key)
	}
	if len(keys) == 0 {
		return nil, nil
	}
	var manifests []image.Digest
	for _, images := range platforms {
		for _, i := range images {
			manifests = append(manifests, i.Manifest)
		}
	}
	labels := map[image.Digest]map[string]string{}
	return labels, c.Labels(sorted(manifests), keys, func(manifest image.Digest, key, value string) {
		if labels[manifest] == nil {
			labels[manifest] = map[string]string{}
		}
		labels[manifest][key] = value
	})
}

// unused takes out of the chosen digests those that were used, and notes when and how. A tag's uses are its digest's,
// and a platform's those of what lists it.
func (d *decision) unused(chosen []*item, used Used, plan *shelf.RemovalPlan) ([]*item, error) {
	if len(used.Downloaded) > 0 {
		under := map[image.Digest][]Key{}
		for _, w := range chosen {
			under[w.root.Digest] = append(under[w.root.Digest], w.root.Key)
		}
		err := d.q.Below(digestsOf(chosen), func(b Below) {
			for _, at := range under[b.Top] {
				if when, ok := used.Downloaded[Key{at.Repository, b.Digest}]; ok && b.Digest != b.Top {
					used.Downloaded[at] = max(used.Downloaded[at], when)
				}
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(chosen, func(w *item) bool {
		how, at := used.of(w.root.Key)
		if how == "" {
			return false
		}
		plan.Totals.Used++
		appendCapped(&plan.Used, shelf.PlanUse{Reference: w.Item.Reference, How: how, At: time.UnixMilli(at).UTC()})
		return true
	}), nil
}
