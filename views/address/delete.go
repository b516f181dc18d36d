package address

// The pages that delete several things at once.
const (
	DeletePath        = "/delete"
	DeleteSummaryPath = "/delete/summary" // what it would come to, in a line
)

// Delete is the address of the plan for a deletion: of one thing, which has a page of its own, or of several.
type Delete struct {
	Of    Image    // what goes; zero for several
	Refs  []string // what goes of several: tags, digests and image IDs
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
