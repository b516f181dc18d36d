// Package registry talks to upstream registries over regclient: it resolves references, fetches indexes,
// manifests and blobs, and lists tags. Everything that comes back is bounded in size and time, and every
// failure is an image.Error that names the host and the reference and says what to do next.
//
// How the parts hang together:
//
//	Client ── upstream (one per host: plain HTTP or TLS, credentials, its own regclient)
//	             └─ transport (http.RoundTripper under regclient: Accept, Range, limits, status to error)
//	                  └─ outbound.Origin (the way out)
//
// regclient does references, token and basic authentication, redirects and paging. It does not retry here:
// the pull queue does that, where people can see it.
package registry

import (
	"context"
	"errors"
	"sync"

	"github.com/regclient/regclient/types/ref"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/memo"
	"github.com/stowage/stowage/registry/outbound"
)

// Client talks to any number of registries. It may be used by many goroutines at once.
type Client struct {
	opts  Options
	list  []Entry // as the operator gave it, with Docker Hub, checked
	out   *outbound.Client
	rates allowances
	tags  *memo.Memo[image.Repository, string] // one tag on a line: one piece of memory for thousands

	mu    sync.Mutex
	slots map[string]*slot // by registry host
}

// New makes a client. It fails where a CA file cannot be read, and with an image.Error of kind Invalid where
// an entry of the list makes no sense.
func New(opts Options) (*Client, error) {
	opts = opts.withDefaults()
	list, err := checkList(opts.Registries)
	if err != nil {
		return nil, err
	}
	out, err := outbound.New(opts.outbound(list))
	var peer *outbound.PeerError
	if errors.As(err, &peer) {
		return nil, invalidEntry(list[peer.Peer], peer.Problem).Because(peer.Err)
	}
	if err != nil {
		return nil, err
	}
	return &Client{
		opts: opts, list: list, out: out, slots: map[string]*slot{},
		tags: memo.New(tagsLife, mostTags, roomTags, func(r image.Repository, lines string) int64 { return int64(len(r) + len(lines)) }),
	}, nil
}

// Outbound returns the way out that the client takes, for those who ask registries for more than it does.
func (c *Client) Outbound() *outbound.Client { return c.out }

// Close drops idle connections. The client stays usable.
func (c *Client) Close() error {
	c.out.Close()
	return nil
}

// Document fetches an index or a manifest of at most image.MaxManifestSize bytes. Its bytes are proved
// against the digest of r or, for a tag, against the digest that the registry announced. Errors are
// image.Errors, those of image.ParseDocument among them, or the context's.
func (c *Client) Document(ctx context.Context, r image.Reference) (image.Document, error) {
	s := subject{ref: r}
	ex, err := c.ask(ctx, s, kindManifest, func(ctx context.Context, u *upstream) error {
		_, err := u.rc.ManifestGet(ctx, regRef(r))
		return err
	})
	if err != nil {
		return image.Document{}, err
	}
	doc, err := image.ParseDocument(ex.header.Get("Content-Type"), ex.raw)
	switch image.KindOf(err) {
	case image.NotImage, image.Unavailable: // schema 1's digest is of other bytes; a web page has none
		return image.Document{}, err
	}
	if wrong := proveDigest(s, ex); wrong != nil {
		return image.Document{}, wrong
	}
	return doc, err
}

// Attestation fetches the manifest of an attestation by its digest, against which its bytes are proved. Errors are
// image.Errors, those of image.ParseAttestation among them, or the context's.
func (c *Client) Attestation(ctx context.Context, r image.Reference) (image.Attestation, error) {
	s := subject{ref: r}
	ex, err := c.ask(ctx, s, kindManifest, func(ctx context.Context, u *upstream) error {
		_, err := u.rc.ManifestGet(ctx, regRef(r))
		return err
	})
	if err != nil {
		return image.Attestation{}, err
	}
	if err := proveDigest(s, ex); err != nil {
		return image.Attestation{}, err
	}
	return image.ParseAttestation(ex.header.Get("Content-Type"), ex.raw)
}

// proveDigest holds the raw bytes against the digest asked for or, for a tag, the one announced.
func proveDigest(s subject, ex *exchange) error {
	want := s.ref.Digest
	if want == "" {
		announced, err := image.ParseDigest(ex.header.Get("Docker-Content-Digest"))
		if err != nil {
			return nil // none announced, or not by sha256: there is nothing to hold it against
		}
		want = announced
	}
	if got := image.DigestOf(ex.raw); got != want {
		return wrongDigest(s, got)
	}
	return nil
}

// regRef builds regclient's reference from fields that image.ParseReference has proved. Its own parser is
// not used: that one also reads ocidir:// and would open folders on this machine.
func regRef(r image.Reference) ref.Ref {
	return ref.Ref{
		Scheme:     "reg",
		Reference:  r.String(),
		Registry:   r.Repository.Host(),
		Repository: r.Repository.Path(),
		Tag:        r.Tag,
		Digest:     string(r.Digest),
	}
}
