package pull

import (
	"slices"
	"strings"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
)

const maxMatch = 128 // characters of a Match; a tag has no more

// MaxPlatforms is how many platforms one pull can be asked for.
const MaxPlatforms = 32

// Request asks for a pull.
type Request struct {
	Reference image.Reference  // a tag or a digest; with AllTags neither
	AllTags   bool             // all tags of the repository
	Match     string           // with AllTags: only tags whose names contain this, whatever the case
	Platforms []image.Platform // empty leaves the choice to the queue
	By        image.Actor      // who asks

	// Target is what the tag was found to point to, which is then not asked again, and Asked when that was. A pull that
	// is joined, or that goes on after a restart, finds out by itself.
	Target image.Digest
	Asked  time.Time
}

// check returns the platforms as normalised gives them.
func (req Request) check() ([]image.Platform, error) {
	ref := req.Reference
	switch {
	case req.AllTags && (ref.Repository == "" || ref.Tag != "" || ref.Digest != ""):
		return nil, image.Errorf(image.Invalid, "a pull of all tags needs a repository, with neither a tag nor a digest")
	case !req.AllTags && (ref.Repository == "" || (ref.Tag == "") == (ref.Digest == "")):
		return nil, image.Errorf(image.Invalid, "a pull needs a repository and either a tag or a digest")
	case !req.AllTags && req.Match != "":
		return nil, image.Errorf(image.Invalid, "only a pull of all tags can be narrowed down to some of them")
	}
	if err := checkMatch(req.Match); err != nil {
		return nil, err
	}
	return normalised(req.Platforms)
}

// checkMatch refuses what no tag can contain for its length.
func checkMatch(match string) error {
	if len(match) > maxMatch {
		return image.Errorf(image.Invalid, "the part of a tag's name is longer than %d characters", maxMatch)
	}
	return nil
}

// normalised returns platforms that were asked for normalised, each once, in their order.
func normalised(asked []image.Platform) ([]image.Platform, error) {
	if len(asked) > MaxPlatforms {
		return nil, image.Errorf(image.Invalid, "%d platforms were asked for, at most %d can be pulled at once", len(asked),
			MaxPlatforms)
	}
	var platforms []image.Platform
	for _, p := range asked {
		n := image.PlatformOf(ocispec.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant,
			OSVersion: p.OSVersion})
		if !n.Known() {
			return nil, image.Errorf(image.Invalid, "%q is not a platform", p.String())
		}
		if !slices.Contains(platforms, n) {
			platforms = append(platforms, n)
		}
	}
	return platforms, nil
}

// identity returns what two jobs for the same thing have in common.
func identity(d job.Detail) string {
	all, ok := d.(AllTags)
	if !ok {
		one, _ := d.(Single)
		return platformKey(one.Platforms) + " " + one.Ref.String()
	}
	// which comes last: it may be any text
	return platformKey(all.Platforms) + " " + all.Ref.String() + " all " + all.Match
}

// platformKey names a set of platforms.
func platformKey(platforms []image.Platform) string {
	names := make([]string, 0, len(platforms))
	for _, p := range platforms {
		names = append(names, p.String())
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func surveyKey(repo image.Repository, match string, platforms []image.Platform) string {
	return identity(AllTags{Ref: image.Reference{Repository: repo}, Match: match, Platforms: platforms})
}
