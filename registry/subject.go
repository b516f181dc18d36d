package registry

import "github.com/stowage/stowage/image"

// subject is what a request is about.
type subject struct {
	ref  image.Reference
	blob image.Descriptor // of a request for a blob; else without a digest

	search bool // for repositories; ref has the host alone
}

// subjectOfSearch is a search of a registry's repositories.
func subjectOfSearch(host string) subject {
	return subject{ref: image.Reference{Repository: image.Repository(host)}, search: true}
}

func (s subject) host() string { return s.ref.Repository.Host() }

func (s subject) name() image.Text {
	if s.search {
		return image.Textf("the list of repositories")
	}
	if s.blob.Digest != "" {
		return image.Textf("blob %s of %s", image.ShortDigest(s.blob.Digest), s.ref.Repository.Familiar())
	}
	return image.Plain(s.ref.Familiar())
}
