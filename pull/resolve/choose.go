package resolve

import (
	"slices"
	"strings"
	"time"

	"github.com/stowage/stowage/image"
)

// MaxOffers is how many platforms of one reference have their manifests read to tell what each costs.
const MaxOffers = 32

// Choice is one entry of an index that is to be pulled.
type Choice struct {
	Entry int            // which of the entries
	Want  image.Platform // the platform that it is chosen for; zero where nobody chose and any will do
}

// Choose picks what to pull among the entries of an index, or the single entry, of no platform, that a
// manifest without an index counts as. want are the platforms asked for; where it is empty nobody chose,
// and standard, the platform for that case, is taken.
//
// A platform matches when it is equal after normalisation; the OS version counts only where it was asked
// for. The first match in the index wins (image-spec image-index.md). Docker's fall-backs to lesser
// variants and 32 bits are not followed: what is pulled is what was chosen. As with docker
// (distribution/pull_v2_unix.go) an entry without a platform matches when nothing exact does; whoever
// pulls it has to hold its config against Want. Attestations and unknown entries are never chosen. The
// error is of kind NoPlatform and lists the platforms that are there.
func Choose(ref image.Reference, entries []image.Entry, want []image.Platform, standard image.Platform) (
	[]Choice, error) {
	choices, missing := choose(entries, want, standard)
	if len(missing) > 0 {
		return nil, lacking(ref, missing, entries)
	}
	return choices, nil
}

// choose is Choose that goes on with what is there, and lists the platforms that are not.
func choose(entries []image.Entry, want []image.Platform, standard image.Platform) (
	choices []Choice, missing []image.Platform) {
	if len(want) == 0 {
		if len(entries) == 1 && entries[0].Kind == image.EntryImage && !entries[0].Platform.Known() {
			return []Choice{{Entry: 0}}, nil
		}
		want = []image.Platform{standard}
	}
	for _, w := range want {
		i := slices.IndexFunc(entries, func(e image.Entry) bool {
			return e.Kind == image.EntryImage && matches(e.Platform, w)
		})
		if i < 0 {
			i = slices.IndexFunc(entries, func(e image.Entry) bool { return e.Kind == image.EntryImage && !e.Platform.Known() })
		}
		switch {
		case i < 0:
			missing = append(missing, w)
		case !slices.ContainsFunc(choices, func(c Choice) bool { return entries[c.Entry].Digest == entries[i].Digest }):
			choices = append(choices, Choice{Entry: i, Want: w})
		}
	}
	return choices, missing
}

// matches reports whether an entry's platform is the wanted one.
func matches(have, want image.Platform) bool {
	if want.OSVersion == "" {
		have.OSVersion = ""
	}
	return have == want
}

// runsOn reports whether an image without a declared platform is for the wanted one. Configs often lack the
// variant; such a one fits every variant.
func runsOn(c *image.Config, want image.Platform) bool {
	have := c.Platform()
	if c.Variant == "" {
		have.Variant, want.Variant = "", ""
	}
	if c.OSVersion == "" {
		want.OSVersion = ""
	}
	return matches(have, want)
}

// present lists the platforms of an index, each once, in its order.
func present(entries []image.Entry) []image.Platform {
	var have []image.Platform
	for _, e := range entries {
		if e.Kind == image.EntryImage && e.Platform.Known() && !slices.Contains(have, e.Platform) {
			have = append(have, e.Platform)
		}
	}
	return have
}

// lacking is the error for platforms that an index does not have, or has by an entry alone that is of no use.
func lacking(ref image.Reference, missing []image.Platform, entries []image.Entry) error {
	have := present(entries)
	for _, e := range entries {
		if e.Problem == nil || !slices.ContainsFunc(missing, func(w image.Platform) bool { return matches(e.Platform, w) }) {
			continue
		}
		if len(have) == 0 {
			return image.Errorf(image.NoPlatform, "%s has an image for %s that cannot be used here: %s", ref.Familiar(),
				e.Platform, e.Problem).
				Suggest("Ask whoever pushed it to push it again with a current tool.")
		}
		return image.Errorf(image.NoPlatform, "%s has an image for %s that cannot be used here: %s; it has %s",
			ref.Familiar(), e.Platform, e.Problem, Named(have)).
			Suggest("Choose one of the platforms that it has.")
	}
	return noPlatform(ref, missing, have)
}

func noPlatform(ref image.Reference, missing, have []image.Platform) error {
	if len(have) == 0 {
		return image.Errorf(image.NoPlatform, "%s has no image for %s", ref.Familiar(), Named(missing)).
			Suggest("It has no image for any platform.")
	}
	return image.Errorf(image.NoPlatform, "%s has no image for %s; it has %s", ref.Familiar(), Named(missing),
		Named(have)).
		Suggest("Choose one of the platforms that it has.")
}

// Named names platforms for a sentence, the first few of very many.
func Named(platforms []image.Platform) image.Text {
	const most = 24
	names := make([]string, min(len(platforms), most))
	for i := range names {
		names[i] = platforms[i].String()
	}
	list := strings.Join(names, ", ")
	if more := len(platforms) - most; more > 0 {
		return image.Textf("%s and %d more", list, more)
	}
	return image.Plain(list)
}

// Want is what one reference is asked for.
type Want struct {
	image.Reference
	Platforms []image.Platform // empty where nobody chose
	Partly    bool             // what it has of the platforms will do, where it has any
	Target    image.Digest     // where a tag points to, if that need not be asked
	Asked     time.Time        // when that was found out
}

// wants returns the platforms one of which an image must be for whose platform the index does not say; none
// where any will do.
func (w Want) wants(c Choice) []image.Platform {
	switch {
	case c.Want == (image.Platform{}):
		return nil
	case w.Partly && len(w.Platforms) > 0:
		return w.Platforms
	}
	return []image.Platform{c.Want}
}
