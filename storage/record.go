package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/database"
)

// Resolved returns what the shelf holds under a reference; broken images do not count.
func (s *Images) Resolved(ctx context.Context, ref image.Reference) (shelf.Stored, error) {
	var out shelf.Stored
	err := s.db.View(ctx, func(tx *sql.Tx) error {
		d, err := targetDigest(ctx, tx, ref)
		if err != nil {
			return err
		}
		out.Digest = d
		images, err := reachableImages(ctx, tx, d)
		for _, i := range images {
			if i.Broken.Empty() {
				out.Images = append(out.Images, shelf.StoredImage{Manifest: i.Manifest, Platform: i.Platform})
			}
		}
		return err
	})
	return out, err
}

// targetDigest returns the digest that a tag or a digest reference names on the shelf.
func targetDigest(ctx context.Context, q database.Querier, ref image.Reference) (image.Digest, error) {
	var d image.Digest
	var err error
	if ref.Digest != "" {
		err = q.QueryRowContext(ctx, `SELECT d.digest FROM repository_digests d JOIN repositories r ON r.id = d.repository_id
			WHERE r.name = ? AND d.digest = ?`, ref.Repository, ref.Digest).Scan(&d)
	} else {
		err = q.QueryRowContext(ctx, `SELECT t.digest FROM tags t JOIN repositories r ON r.id = t.repository_id
			WHERE r.name = ? AND t.name = ?`, ref.Repository, ref.Tag).Scan(&d)
	}
	return d, database.NotFound(err, "%s is not stored", ref.Familiar())
}

// Recorder makes what pulls and uploads bring a part of the shelf.
type Recorder struct {
	db      *database.DB
	images  *Images
	blobs   *Blobs
	space   *Space
	lists   *Lists
	layers  *layers
	now     func() time.Time
	changed func() // called when what is stored has changed
}

// Record makes a finished pull part of the shelf, in one transaction. It fails with image.Corrupt, and
// records nothing, when an image is known to be broken or a layer that was unpacked before does not have the
// diff ID that a config claims.
func (s *Recorder) Record(ctx context.Context, p shelf.Pulled) (shelf.Change, error) {
	if p.At.IsZero() {
		p.At = s.now()
	}
	var change shelf.Change
	err := s.db.Change(ctx, p.By, image.ActionPull, p.Reference.String(), func(tx *sql.Tx) error {
		r := recorder{ctx: ctx, tx: tx, of: s, at: database.Millis(p.At)}
		var err error
		change, err = r.record(p)
		return err
	})
	if err != nil {
		return shelf.Change{}, fmt.Errorf("record %s: %w", p.Reference.Familiar(), err)
	}
	s.changed()
	return change, nil
}

// recorder writes one pull's rows.
type recorder struct {
	ctx context.Context
	tx  *sql.Tx
	of  *Recorder
	at  int64
}

func (r recorder) exec(query string, args ...any) (changed bool, err error) {
	res, err := r.tx.ExecContext(r.ctx, query, args...)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

func (r recorder) record(p shelf.Pulled) (shelf.Change, error) {
	var fresh []image.Digest // images that were not stored
	for _, doc := range append([]image.Document{p.Target}, p.Indexes...) {
		if err := r.document(doc); err != nil {
			return shelf.Change{}, err
		}
	}
	for _, img := range p.Images {
		isNew, err := r.image(img)
		if err != nil {
			return shelf.Change{}, err
		}
		if err := r.attestations(img); err != nil {
			return shelf.Change{}, err
		}
		if isNew {
			fresh = append(fresh, img.Document.Digest)
		}
	}
	repo, err := r.repository(p.Reference.Repository)
	if err != nil {
		return shelf.Change{}, err
	}
	change, err := r.reference(repo, p)
	if err != nil {
		return shelf.Change{}, err
	}
	change.Newer = change.Newer || len(fresh) > 0
	return change, r.listing(repo, p, change.Previous, fresh)
}

// listing writes the list's rows that a pull changes.
func (r recorder) listing(repo int64, p shelf.Pulled, previous image.Digest, fresh []image.Digest) error {
	if previous != "" && previous != p.Target.Digest {
		if err := r.of.lists.refreshTagListing(r.ctx, r.tx, repo, previous, p.Reference.Tag); err != nil {
			return err
		}
	}
	if err := r.of.lists.refreshTagListing(r.ctx, r.tx, repo, p.Target.Digest, p.Reference.Tag); err != nil {
		return err
	}
	// A platform that came with this repository is stored for every digest that lists it.
	for _, manifest := range fresh {
		if err := r.of.lists.refreshListingsOf(r.ctx, r.tx, manifest); err != nil {
			return err
		}
	}
	return nil
}

func (r recorder) blob(d image.Descriptor) error {
	if !r.of.blobs.files.Has(d.Digest, d.Size) {
		return fmt.Errorf("blob %s of %d bytes is not on disk", d.Digest, d.Size)
	}
	_, err := r.exec(`INSERT INTO blobs (digest, size, stored_at) VALUES (?, ?, ?)
		ON CONFLICT DO NOTHING`, d.Digest, d.Size, r.at)
	return err
}

func (r recorder) document(doc image.Document) error {
	if err := r.blob(doc.Descriptor()); err != nil {
		return err
	}
	kind := "manifest"
	if doc.Index != nil {
		kind = "index"
	}
	isNew, err := r.exec(`INSERT INTO manifests (digest, kind, media_type) VALUES (?, ?, ?)
		ON CONFLICT DO NOTHING`, doc.Digest, kind, doc.MediaType)
	if err != nil || !isNew || doc.Index == nil {
		return err
	}
	for i, e := range doc.Index.Entries {
		_, err := r.exec(`INSERT INTO index_entries (index_digest, position, digest, media_type, size, kind, platform,
			describes) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			doc.Digest, i, e.Digest, e.MediaType, e.Size, e.Kind, e.Platform.String(), e.Describes)
		if err != nil {
			return err
		}
	}
	return nil
}

func (r recorder) image(p shelf.PulledImage) (isNew bool, err error) {
	m := p.Document.Manifest
	if err := r.document(p.Document); err != nil {
		return false, err
	}
	if err := r.blob(m.Config); err != nil {
		return false, err
	}
	isNew, err = r.exec(`INSERT INTO images (manifest_digest, config_digest, platform, created, size, layers, stored_at)
		VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		p.Document.Digest, m.Config.Digest, ownPlatform(p).String(), createdMillis(p.Config.Created), m.Size(), len(m.Layers),
		r.at)
	if err != nil {
		return false, err
	}
	if !isNew {
		return false, r.notBroken(p.Document.Digest)
	}
	command := make([]string, len(m.Layers))
	for _, step := range p.Config.Steps() {
		if step.Layer >= 0 {
			command[step.Layer] = step.CreatedBy
		}
	}
	for i, l := range m.Layers {
		if err := r.layer(p, i, l, command[i]); err != nil {
			return false, err
		}
	}
	if err := writeFacts(r.ctx, r.tx, p.Document.Digest, m.Annotations, p.Config); err != nil {
		return false, err
	}
	return true, r.of.layers.settleImage(r.ctx, r.tx, p.Document.Digest)
}

// notBroken refuses an image that the shelf has and knows to be wrong.
func (r recorder) notBroken(manifest image.Digest) error {
	var broken image.Text
	err := r.tx.QueryRowContext(r.ctx, `SELECT broken FROM images WHERE manifest_digest = ?`, manifest).
		Scan(database.TextColumn{Text: &broken})
	if err != nil || broken.Empty() {
		return err
	}
	return image.Errorf(image.Corrupt, "the image is stored and broken: %s", broken).
		Suggest("Ask its author to push it again; delete it here when nobody needs it.")
}

// ownPlatform is the platform that an image is for by itself: what its config says. Configs often leave out the variant
// and the OS version; the index fills those in where it agrees on the rest. What an index calls the image stands with
// its entry.
func ownPlatform(p shelf.PulledImage) image.Platform {
	own := p.Config.Platform()
	switch {
	case !own.Known():
		return image.Platform{}
	case own.OS != p.Platform.OS || own.Architecture != p.Platform.Architecture:
		return own
	}
	if p.Config.Variant == "" { // own has the usual one then
		own.Variant = p.Platform.Variant
	}
	if p.Config.OSVersion == "" {
		own.OSVersion = p.Platform.OSVersion
	}
	return own
}

func (r recorder) layer(p shelf.PulledImage, i int, l image.Descriptor, command string) error {
	if err := r.blob(l); err != nil {
		return err
	}
	if _, err := r.exec(`INSERT INTO layers (digest) VALUES (?) ON CONFLICT DO NOTHING`, l.Digest); err != nil {
		return err
	}
	claimed := p.Config.RootFS.DiffIDs[i]
	var state, proved string
	var problem image.Text
	err := r.tx.QueryRowContext(r.ctx, `SELECT state, diff_id, problem FROM layers WHERE digest = ?`, l.Digest).
		Scan(&state, &proved, database.TextColumn{Text: &problem})
	if err != nil {
		return err
	}
	if state == layerBroken {
		return notUnpacked(l.Digest, problem)
	}
	if state == layerVerified && proved != string(claimed) {
		return wrongDiffID(l.Digest, claimed, image.Digest(proved))
	}
	_, err = r.exec(`INSERT INTO image_layers (manifest_digest, position, layer_digest, diff_id, size, media_type,
		created_by) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		p.Document.Digest, i, l.Digest, claimed, l.Size, l.MediaType, command)
	return err
}

func notUnpacked(layer image.Digest, problem image.Text) *image.Error {
	return image.Errorf(image.Corrupt, "layer %s cannot be unpacked: %s", image.ShortDigest(layer), problem)
}

func wrongDiffID(layer, claimed, proved image.Digest) *image.Error {
	return image.Errorf(image.Corrupt,
		"layers from the manifest do not match the image's config: layer %s unpacks to %s, the config says %s",
		image.ShortDigest(layer), image.ShortDigest(proved), image.ShortDigest(claimed)).
		Suggest("The image was built or copied wrongly: ask its author to push it again.")
}

func (r recorder) repository(name image.Repository) (id int64, err error) {
	if _, err := r.exec(`INSERT INTO repositories (name, familiar) VALUES (?, ?)
		ON CONFLICT DO NOTHING`, name, name.Familiar()); err != nil {
		return 0, err
	}
	return id, r.tx.QueryRowContext(r.ctx, `SELECT id FROM repositories WHERE name = ?`, name).Scan(&id)
}

// reference makes the repository know the digest and the tag point at it, and writes the tag's history.
func (r recorder) reference(repo int64, p shelf.Pulled) (shelf.Change, error) {
	asked := p.Reference.Digest != ""
	var before sql.NullBool
	err := r.tx.QueryRowContext(r.ctx, `SELECT by_digest FROM repository_digests WHERE repository_id = ?
		AND digest = ?`, repo, p.Target.Digest).Scan(&before)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return shelf.Change{}, err
	}
	_, err = r.exec(`INSERT INTO repository_digests (repository_id, digest, by_digest, pulled_at, pulled_by)
		VALUES (?1, ?2, ?3, ?4, ?5)
		ON CONFLICT DO UPDATE SET by_digest = max(by_digest, ?3), pulled_at = ?4, pulled_by = ?5`, repo, p.Target.Digest,
		asked, r.at, p.By.Name)
	if err != nil {
		return shelf.Change{}, err
	}
	if asked {
		return shelf.Change{Newer: !before.Bool}, nil
	}
	var previous image.Digest
	err = r.tx.QueryRowContext(r.ctx, `SELECT digest FROM tags WHERE repository_id = ? AND name = ?`, repo,
		p.Reference.Tag).Scan(&previous)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return shelf.Change{}, err
	}
	if previous != "" && previous != p.Before && previous != p.Target.Digest {
		return shelf.Change{}, shelf.ErrMoved
	}
	// What the registry has said stays its word when an archive says the same.
	_, err = r.exec(`INSERT INTO tags (repository_id, name, digest, pulled_at, pulled_by, uploaded)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6)
		ON CONFLICT DO UPDATE SET digest = ?3, pulled_at = ?4, pulled_by = ?5, uploaded = CASE digest WHEN ?3 THEN
		min(uploaded, ?6) ELSE ?6 END`,
		repo, p.Reference.Tag, p.Target.Digest, r.at, p.By.Name, p.Uploaded)
	if err != nil {
		return shelf.Change{}, err
	}
	if err := r.settlesCheck(repo, p); err != nil || previous == p.Target.Digest {
		return shelf.Change{Previous: previous}, err
	}
	event := shelf.TagMoved
	if previous == "" {
		event = shelf.TagPulled
	}
	err = writeHistory(r.ctx, r.tx, shelf.TagEvent{Repository: p.Reference.Repository, Tag: p.Reference.Tag, Event: event,
		Old: previous, New: p.Target.Digest, At: database.FromMillis(r.at), By: p.By.Name, PullID: p.JobID})
	return shelf.Change{Previous: previous, Newer: true}, err
}

// settlesCheck notes where the registry said that the tag points: a pull asks, too.
func (r recorder) settlesCheck(repo int64, p shelf.Pulled) error {
	if p.Asked.IsZero() {
		return nil
	}
	return writeCheck(r.ctx, r.tx, repo, shelf.AskedByPull,
		shelf.Checked{Reference: p.Reference, Answer: shelf.AnswerDigest, Upstream: p.Target.Digest, At: p.Asked})
}

// createdMillis keeps an unknown creation time NULL: none, or one in the year 1, which is how Go writes none.
func createdMillis(t *time.Time) any {
	if t == nil {
		return nil
	}
	if year := t.UTC().Year(); year <= 1 || year > 9999 {
		return nil
	}
	return t.UnixMilli()
}
