package address

import (
	"net/url"

	"github.com/stowage/stowage/image"
)

// The pages that delete several things at once.
const (
	DeletePath        = "/delete"
	DeleteSummaryPath = "/delete/summary" // what it would come to, in a line
)

// Delete is the address of the plan for a deletion: of one thing, which has a page of its own, or of several.
type Delete struct {
	Of    Image    // what goes; zero for several
	Refs  []string // what goes of several: tags, digests and image IDs, as somebody named them
	Force bool
	Back  string // the page that it leads back to; empty: where it leads by itself
}

// String formats the address.
func (d Delete) String() string {
	q := d.Of.platform()
	for _, ref := range d.Refs {
		q.add("ref", ref)
	}
	q.addFlag("force", d.Force)
	q.addSaid("back", d.Back)
	if d.Of != (Image{}) {
		return q.after(d.Of.At(SectionDelete).path())
	}
	return q.after(DeletePath)
}

// maxDeleted is how many things one plan is asked for.
const maxDeleted = 1000

// ParseDelete reads how something is to be deleted. What is read from the path of its page, or by ParseDeleteMany.
// Errors are of kind Invalid.
func ParseDelete(form url.Values) (d Delete, err error) {
	d.Back = Back(form)
	switch force := form.Get("force"); force {
	case "", "0", "false":
	case "1", "true", "on":
		d.Force = true
	default:
		return d, image.Errorf(image.Invalid, "the value of force is 1 or left out, not %.40q (force)", force)
	}
	return d, nil
}

// ParseDeleteMany reads what is to be deleted, and the platform, which goes with one thing only. Errors are of kind
// Invalid.
func ParseDeleteMany(form url.Values) (Delete, image.Platform, error) {
	refs := form["ref"]
	d := Delete{Back: Back(form)}
	switch {
	case len(refs) == 0:
		return d, image.Platform{}, image.Errorf(image.Invalid, "nothing was chosen to be deleted").
			Suggest("Tick what is to go in the list of images.")
	case len(refs) > maxDeleted:
		return d, image.Platform{}, image.Errorf(image.Invalid, "at most %d things are deleted at once, and %d were chosen",
			maxDeleted, len(refs)).
			Suggest("Choose fewer at a time.")
	}
	d, err := ParseDelete(form)
	d.Refs = refs
	if err != nil {
		return d, image.Platform{}, err
	}
	platform, err := Platform(form)
	if err == nil && platform != (image.Platform{}) && len(refs) > 1 {
		err = image.Errorf(image.Invalid, "a platform is deleted of one thing at a time, and %d were chosen", len(refs)).
			Suggest("Leave the platform out, or choose one thing.")
	}
	return d, platform, err
}
