package pull

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/stowage/stowage/guard"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/memo"
	"github.com/stowage/stowage/pull/fetch"
	"github.com/stowage/stowage/pull/resolve"
	"github.com/stowage/stowage/share"
	"github.com/stowage/stowage/shelf"
)

const (
	// MirrorFresh is for how long the answer about a tag holds where nobody says otherwise.
	MirrorFresh = 5 * time.Minute

	mirrorWait     = 5 * time.Second  // for which a client waits for the registry when something is stored
	mirrorTimeout  = 30 * time.Second // for one question about a tag
	mirrorFailed   = 30 * time.Second // for which a registry that does not answer is not asked again
	mirrorMissing  = 10 * time.Second // the same for a tag that it does not have
	mirrorLimited  = time.Minute      // and for a rate limit of which the end is not known
	mirrorAgain    = 10 * time.Second // after which a pull that has ended is begun again for a client
	mirrorPassing  = time.Minute      // the same for one that failed by what may pass
	mirrorRefused  = time.Hour        // and for one that failed by what the image is
	mirrorTags     = 8 << 10          // tags, documents and blobs that are remembered, some 300 bytes each
	mirrorDocs     = 16 << 10
	mirrorBlobs    = 16 << 10
	mirrorChildren = 2048 // entries of one index that are remembered
	maxMediaType   = 255  // bytes of a media type that is remembered (RFC 6838, section 4.2: two names of 127)
)

// Checks keeps what registries said of tags.
type Checks interface {
	// SaveChecks keeps answers about tags that are still stored, and returns the state that follows for each of them.
	SaveChecks(ctx context.Context, by image.Actor, all []shelf.Checked) ([]shelf.UpdateState, error)
}

// MirrorOptions are what a Mirror works with. Queue and Registries are required.
type MirrorOptions struct {
	Queue      *Queue
	Checks     Checks        // keeps what is heard of stored tags; nil: nothing
	Registries []string      // hosts that may be fetched from, as in references
	Fresh      time.Duration // for which the answer about a tag holds
	Logger     *slog.Logger
}

// Mirror brings what clients of the registry API ask for and the shelf lacks: through the queue, as a pull like any
// other, while the bytes go on to the clients as they come. A tag is asked about by HEAD, by all clients together once in
// a while. Nil, it covers nothing. Safe for concurrent use.
type Mirror struct {
	q          *Queue
	checks     Checks
	registries []string
	fresh      time.Duration
	log        *slog.Logger

	asking singleflight.Group
	tags   *memo.Recent[image.Reference, Standing]
	docs   *memo.Recent[image.Reference, origin]
	blobs  *memo.Recent[image.Reference, handedBlob]
	begun  *memo.Recent[image.Reference, begun]
	failed *memo.Recent[int64, failure]

	asked, stale, streamed atomic.Int64
}

// origin says how a client came to a document: what is to be pulled when it wants the image.
type origin struct {
	reference image.Reference // a tag or a digest
	target    image.Digest    // what that points to
	asked     time.Time       // when the registry said so
	platform  image.Platform  // of the document; unknown where it is the target itself, or an index
	kind      image.EntryKind // how the index lists it; empty for the target itself
	listed    image.Descriptor
	describes image.Digest // of an attestation: the manifest that it is about
	settled   bool         // the shelf has the reference pointing to the target: nothing is to be pulled for that
}

// handedBlob is a blob of a manifest that was handed out.
type handedBlob struct {
	image.Descriptor
	manifest image.Digest
}

// begun is a pull that was begun for a manifest.
type begun struct {
	job  int64
	what string // see identity
	at   time.Time
}

// failure is how a pull failed.
type failure struct {
	kind image.Kind
	at   time.Time
}

// Standing is what a Mirror knows of a tag.
type Standing struct {
	Digest image.Digest // where the registry said that it points; empty if it never did
	Asked  time.Time    // when it was asked last
	Heard  time.Time    // when it answered last; zero if never
	Err    error        // why it could not be asked last time; what is stored is served meanwhile
	until  time.Time    // it is not asked again before
}

// Problem is Err as people are shown it; nil where the registry answered.
func (s Standing) Problem() *job.Problem {
	if s.Err == nil {
		return nil
	}
	return job.ProblemOf(s.Err)
}

// NewMirror makes a Mirror.
func NewMirror(o MirrorOptions) *Mirror {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	m := &Mirror{
		q: o.Queue, checks: o.Checks, registries: o.Registries, fresh: o.Fresh, log: o.Logger,
		tags: memo.NewRecent[image.Reference, Standing](mirrorTags), docs: memo.NewRecent[image.Reference, origin](mirrorDocs),
		blobs: memo.NewRecent[image.Reference, handedBlob](mirrorBlobs), begun: memo.NewRecent[image.Reference, begun](mirrorTags),
		failed: memo.NewRecent[int64, failure](mirrorTags),
	}
	// What a pull was told is newer than what clients were told before it.
	heard := func(ref image.Reference, d image.Digest, asked time.Time) {
		if m.Covers(ref.Repository) {
			m.heard(ref, d, asked)
		}
	}
	o.Queue.resolver.Hear(heard)
	o.Queue.jobs.Ended(func(j job.Job, err error) {
		if err != nil && !errors.Is(err, job.ErrClosing) {
			m.failed.Put(j.ID, failure{kind: job.ProblemOf(err).Kind, at: m.q.now()})
		}
	})
	return m
}

// Covers tells whether what is missing of a repository may be fetched.
func (m *Mirror) Covers(repo image.Repository) bool {
	return m != nil && slices.Contains(m.registries, repo.Host())
}

// Tag gives where a tag points: as its registry says or, when that cannot be asked, as stored does, which is empty where
// nothing is. The registry is asked once for all who want to know at a time, and its answer holds for a while.
func (m *Mirror) Tag(ctx context.Context, ref image.Reference, stored image.Digest) (image.Digest, error) {
	ref = own(ref)
	s, known := m.tags.Get(ref)
	if !known || !m.q.now().Before(s.until) {
		var late <-chan time.Time
		if stored != "" {
			timer := time.NewTimer(mirrorWait)
			defer timer.Stop()
			late = timer.C
		}
		answer := m.asking.DoChan(ref.String(), func() (any, error) { return m.ask(ref, stored), nil })
		select {
		case a := <-answer:
			s, _ = a.Val.(Standing)
		case <-late:
			s.Err = image.Errorf(image.Unavailable, "%s does not answer", ref.Repository.Host())
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
	switch {
	case s.Err == nil:
		m.docs.Put(ref.Repository.At(s.Digest), origin{reference: ref, target: s.Digest, asked: s.Heard, settled: s.Digest == stored})
		return s.Digest, nil
	case stored != "":
		m.stale.Add(1)
		return stored, nil
	}
	return "", s.Err
}

// ask asks the registry about a tag and remembers the answer, unless one has come since the caller looked. Where another
// digest is stored, the answer counts once the registry has handed out what the tag points to: a rate limit mostly hits
// that alone.
func (m *Mirror) ask(ref image.Reference, stored image.Digest) Standing {
	now := m.q.now()
	if s, known := m.tags.Get(ref); known && now.Before(s.until) {
		return s
	}
	m.asked.Add(1)
	var head image.Descriptor
	err := m.request(ref, func(ctx context.Context) (err error) {
		if head, err = m.q.resolver.Head(ctx, ref, resolve.Once); err == nil && stored != "" && head.Digest != stored {
			_, err = m.q.resolver.Document(ctx, ref.Repository, image.Descriptor{Digest: head.Digest}, resolve.Once)
		}
		return err
	})
	if err == nil {
		if took := m.q.now().Sub(now); took > mirrorWait && stored != "" {
			m.log.Warn("the registry was slow to tell of a tag: what is stored was served meanwhile, and may be stale", "reference", ref.String(), "took", took)
		}
		m.note(ref, stored, shelf.Checked{Reference: ref, Answer: shelf.AnswerDigest, Upstream: head.Digest, At: now})
		return m.heard(ref, head.Digest, now)
	}
	until := m.askAgain(now, err)
	if image.KindOf(err) == image.NotFound {
		m.note(ref, stored, shelf.Checked{Reference: ref, Answer: shelf.AnswerGone, At: now})
	}
	if stored != "" {
		m.log.Warn("the registry could not be asked about a tag: what is stored is served, and may be stale",
			"reference", ref.String(), "error", err, "not_asked_again_before", until)
	}
	return m.tags.Change(ref, func(s Standing) Standing {
		if s.Heard.After(now) { // a pull has asked meanwhile
			return s
		}
		s.Asked, s.Err, s.until = now, err, until
		return s
	})
}

// note keeps what a registry said of a stored tag as a check for updates, so that its page knows what clients are told.
// That it is as stored, or as it was said before, is no news.
func (m *Mirror) note(ref image.Reference, stored image.Digest, c shelf.Checked) {
	before, _ := m.tags.Get(ref)
	if m.checks == nil || stored == "" || c.Upstream == stored && (before.Digest == stored || before.Digest == "") {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(m.q.jobs.Base()), saveTimeout)
	defer cancel()
	if _, err := m.checks.SaveChecks(ctx, image.Server, []shelf.Checked{c}); err != nil {
		m.log.Error("a check for updates is not kept", "reference", ref.String(), "error", err)
	}
}

// askAgain says when a registry is asked about a tag again after an error.
func (m *Mirror) askAgain(now time.Time, err error) time.Time {
	switch image.KindOf(err) {
	case image.NotFound:
		return now.Add(mirrorMissing)
	case image.RateLimited:
		if at := image.RetryTime(err); !at.IsZero() {
			return clamp(at, now.Add(time.Second), now.Add(m.q.fetcher.Backoff().RateLimit))
		}
		return now.Add(mirrorLimited)
	}
	return now.Add(mirrorFailed)
}

// heard takes a registry's answer about a tag and gives what is known then: of two answers the one that was asked for later.
func (m *Mirror) heard(ref image.Reference, d image.Digest, asked time.Time) Standing {
	return m.tags.Change(own(ref), func(s Standing) Standing {
		if s.Heard.After(asked) {
			return s
		}
		return Standing{Digest: d, Asked: asked, Heard: asked, until: asked.Add(m.fresh)}
	})
}

// request asks a registry for clients, who are not kept waiting for longer than mirrorTimeout.
func (m *Mirror) request(ref image.Reference, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(m.q.jobs.Base(), mirrorTimeout)
	defer cancel()
	err := guard.Do(func() error { return ask(ctx) })
	switch {
	case err == nil || ctx.Err() == nil || image.KindOf(err) != image.Internal:
		return err
	case m.q.jobs.Base().Err() != nil:
		return job.Stopping()
	}
	return image.Errorf(image.Unavailable, "%s does not answer", ref.Repository.Host()).Because(err)
}

// own keeps a reference from holding on to the request that it is a part of.
func own(ref image.Reference) image.Reference {
	return image.Reference{Repository: image.Repository(strings.Clone(string(ref.Repository))), Tag: strings.Clone(ref.Tag), Digest: image.Digest(strings.Clone(string(ref.Digest)))}
}

// bare is a descriptor as it is remembered: without what its author can add to it, of any length.
func bare(d image.Descriptor) image.Descriptor {
	if len(d.MediaType) > maxMediaType {
		d.MediaType = ""
	}
	return image.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}
}

func clamp(t, least, most time.Time) time.Time {
	if t.Before(least) {
		return least
	}
	if t.After(most) {
		return most
	}
	return t
}

// Standing gives what is known of a tag of a registry that is mirrored.
func (m *Mirror) Standing(ref image.Reference) (Standing, bool) {
	if !m.Covers(ref.Repository) {
		return Standing{}, false
	}
	return m.tags.Get(ref)
}

// Mirrored is an index or a manifest as a mirror hands it out: with the registry's bytes, which are proved.
type Mirrored struct {
	MediaType string
	Digest    image.Digest
	Raw       []byte
	image     image.Digest       // the manifest of the image that it is, or is about; empty for an index
	blobs     []image.Descriptor // that it lists
}

// Document gives an index or a manifest that the shelf does not have under the repository. One that nothing led to is
// asked for at the registry first: that the shelf has the bytes does not mean that this repository does.
func (m *Mirror) Document(ctx context.Context, repo image.Repository, d image.Digest) (Mirrored, error) {
	ref := own(repo.At(d))
	o, known, err := m.origin(ctx, ref)
	if err != nil {
		return Mirrored{}, err
	}
	if o.kind == image.EntryAttestation {
		return m.attestation(ctx, ref, o)
	}
	doc, err := shared(ctx, m, ref, func(ctx context.Context) (image.Document, error) {
		if known {
			return m.q.resolver.Document(ctx, repo, image.Descriptor{Digest: d}, resolve.Once)
		}
		t, err := m.q.resolver.Resolved(ctx, ref, resolve.Once)
		return t.Document, err
	})
	if err != nil {
		return Mirrored{}, err
	}
	if !known {
		o = origin{reference: ref, target: d}
		m.docs.Put(ref, o)
	}
	out := Mirrored{MediaType: doc.MediaType, Digest: doc.Digest, Raw: doc.Raw}
	if doc.Index != nil {
		m.rememberEntries(repo, o, doc.Index)
	} else {
		out.image, out.blobs = d, append([]image.Descriptor{doc.Manifest.Config}, doc.Manifest.Layers...)
	}
	return out, nil
}

// attestation gives the manifest of what describes an image.
func (m *Mirror) attestation(ctx context.Context, ref image.Reference, o origin) (Mirrored, error) {
	a, err := shared(ctx, m, ref, func(ctx context.Context) (image.Attestation, error) {
		return m.q.resolver.Attestation(ctx, ref.Repository, o.listed)
	})
	return Mirrored{MediaType: a.MediaType, Digest: a.Digest, Raw: a.Raw, image: o.describes, blobs: a.Blobs()}, err
}

// shared reads something once for all who want it at a time.
func shared[T any](ctx context.Context, m *Mirror, ref image.Reference, read func(context.Context) (T, error)) (found T, err error) {
	// The same digest can be asked for as a document and as an attestation.
	answer := m.asking.DoChan(fmt.Sprintf("%T %s", found, ref), func() (any, error) {
		var found T
		err := m.request(ref, func(ctx context.Context) (err error) {
			found, err = read(ctx)
			return err
		})
		return found, err
	})
	select {
	case a := <-answer:
		found, _ = a.Val.(T)
		return found, a.Err
	case <-ctx.Done():
		return found, context.Cause(ctx)
	}
}

// origin finds what led to a document: a client's earlier question, or an index on the shelf.
func (m *Mirror) origin(ctx context.Context, ref image.Reference) (o origin, known bool, err error) {
	if o, known = m.docs.Get(ref); known {
		return o, true, nil
	}
	l, err := m.q.shelf.Listed(ctx, ref)
	switch {
	case image.KindOf(err) == image.NotFound:
		return origin{}, false, nil
	case err != nil:
		return origin{}, false, err
	}
	if l.Kind == image.EntryImage && !l.Platform.Known() { // no platform to pull it by
		return origin{reference: ref, target: ref.Digest, kind: l.Kind}, true, nil
	}
	// It is not remembered: the tag can move.
	return origin{reference: l.Reference, target: l.Index, platform: l.Platform, kind: l.Kind, listed: bare(l.Descriptor), describes: l.Describes}, true, nil
}

// rememberEntries notes what an index leads to. Of entries for one platform only the first is what a pull of that
// platform brings.
func (m *Mirror) rememberEntries(repo image.Repository, o origin, x *image.Index) {
	seen := make(map[image.Platform]bool)
	for _, e := range x.Entries[:min(len(x.Entries), mirrorChildren)] {
		if e.Problem != nil {
			continue
		}
		key := repo.At(e.Digest)
		child := origin{reference: o.reference, target: o.target, asked: o.asked, platform: e.Platform, kind: e.Kind, listed: bare(e.Descriptor), describes: e.Describes, settled: o.settled}
		if e.Kind == image.EntryImage {
			if !e.Platform.Known() || seen[e.Platform] {
				child = origin{reference: key, target: e.Digest, kind: e.Kind}
			}
			seen[e.Platform] = true
		}
		m.docs.Put(key, child)
	}
}

// HandOut tells that a client got a document and will ask for what it lists. The image that it is, or is about, is pulled
// in the name of by; its blobs can be had from then on. Errors are those of Queue.Pull.
func (m *Mirror) HandOut(ctx context.Context, repo image.Repository, doc Mirrored, by image.Actor) error {
	if doc.image == "" {
		return nil
	}
	for _, d := range doc.blobs {
		m.blobs.Put(own(repo.At(d.Digest)), handedBlob{Descriptor: bare(d), manifest: doc.image})
	}
	return m.begin(ctx, repo.At(doc.image), by)
}

// HandOutStored tells that a client got a stored document by its digest. Where a tag led to it that the shelf does not
// have, or has pointing elsewhere, the tag is pulled, which fetches nothing that is here.
func (m *Mirror) HandOutStored(ctx context.Context, repo image.Repository, d image.Digest, by image.Actor) error {
	ref := own(repo.At(d))
	o, known := m.docs.Get(ref)
	if !known || o.settled || o.reference.Tag == "" {
		return nil
	}
	doc, err := m.Document(ctx, repo, d)
	if err != nil {
		return err
	}
	if doc.image == d {
		stored, err := m.q.resolver.Stored(ctx, o.reference)
		if err != nil {
			return err
		}
		// What was pulled since the client was told of the tag is not pulled again.
		if stored.Digest != o.target || !slices.ContainsFunc(stored.Images, func(i shelf.StoredImage) bool { return i.Manifest == d }) {
			if err := m.begin(ctx, ref, by); err != nil {
				return err
			}
		}
	}
	o.settled = true
	m.docs.Put(ref, o)
	return nil
}

// begin begins the pull that a manifest belongs to, or joins it.
func (m *Mirror) begin(ctx context.Context, manifest image.Reference, by image.Actor) error {
	o, known, err := m.origin(ctx, manifest)
	if err != nil {
		return err
	}
	if !known {
		o = origin{reference: manifest, target: manifest.Digest}
	}
	req := Request{Reference: o.reference, By: by}
	if o.reference.Tag != "" {
		req.Target, req.Asked = o.target, o.asked
		if s, known := m.tags.Get(o.reference); known && s.Heard.After(o.asked) && s.Digest != o.target {
			// The tag is known to have moved on since, and is not to be moved back.
			req = Request{Reference: o.reference.Repository.At(o.target), By: by}
		}
	}
	if o.platform.Known() {
		req.Platforms = []image.Platform{o.platform}
	}
	what := identity(Single{Ref: req.Reference, Platforms: req.Platforms})
	if last, known := m.begun.Get(manifest); known && last.what == what && m.rests(last.job) {
		return nil // the client has its document; one record says why the image does not come
	}
	j, _, err := m.q.Pull(ctx, req)
	if err != nil {
		return err
	}
	m.begun.Put(manifest, begun{job: j.ID, what: what, at: m.q.now()})
	return nil
}

// rests reports whether a pull failed a short while ago, and is not to be begun again for whoever asks.
func (m *Mirror) rests(job int64) bool {
	f, failed := m.failed.Get(job)
	rest := mirrorRefused
	switch f.kind {
	case image.Unavailable, image.RateLimited, image.DiskFull, image.Cancelled, image.Internal:
		rest = mirrorPassing
	}
	return failed && m.q.now().Sub(f.at) < rest
}

// Blob gives the descriptor of a blob that a manifest lists which was handed out under the repository, or that a pull of
// it is bringing; its bytes may be stored by now. A pull that has failed meanwhile is begun again, so that what is
// brought also comes onto the shelf.
func (m *Mirror) Blob(ctx context.Context, repo image.Repository, d image.Digest, by image.Actor) (image.Descriptor, bool, error) {
	b, known := m.blobs.Get(repo.At(d))
	if !known { // handed out before a restart, perhaps, after which its pull goes on
		wanted, known := m.q.wanted(repo, d)
		return wanted, known, nil
	}
	if !m.q.shelf.HasBlob(b.Descriptor) {
		manifest := repo.At(b.manifest)
		last, _ := m.begun.Get(manifest)
		if _, live := m.q.jobs.Get(last.job); !live && m.q.now().Sub(last.at) > mirrorAgain {
			if err := m.begin(ctx, manifest, by); err != nil {
				return image.Descriptor{}, false, err
			}
		}
	}
	return b.Descriptor, true, nil
}

// Stream reads a blob that Blob gave while it comes, from the registry or by a pull that is under way: it is fetched
// once, however many want it. by is who asks.
func (m *Mirror) Stream(ctx context.Context, repo image.Repository, d image.Descriptor, by image.Actor) (*fetch.Reader, error) {
	m.streamed.Add(1)
	return m.q.fetcher.Open(ctx, fetch.Blob{Descriptor: d, Repository: repo, By: share.Requester(by.Name)})
}

// MirrorStats are counts since the start.
type MirrorStats struct {
	Asked    int64 // questions about tags
	Stale    int64 // answers from the shelf because the registry could not be asked
	Streamed int64 // blobs that were handed on while they came
}

// Stats gives the counts.
func (m *Mirror) Stats() MirrorStats {
	return MirrorStats{Asked: m.asked.Load(), Stale: m.stale.Load(), Streamed: m.streamed.Load()}
}
