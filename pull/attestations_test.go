package pull_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
)

// about makes an entry that describes an image, as BuildKit writes it: artifact chooses the newer form.
func (u *upstream) about(of image.Descriptor, artifact bool, statements ...image.Descriptor) image.Descriptor {
	m := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, Layers: statements}
	m.Config = u.addBlob(ocispec.MediaTypeImageConfig, fmt.Appendf(nil, `{"architecture":"unknown","os":"unknown","of":%q}`, of.Digest))
	if artifact {
		m.Config, m.ArtifactType, m.Subject = u.addBlob(ocispec.MediaTypeEmptyJSON, []byte("{}")), "application/vnd.docker.attestation.manifest.v1+json", &of
	}
	return u.aboutFrom(of, m)
}

// aboutFrom makes an entry that describes an image of any document.
func (u *upstream) aboutFrom(of image.Descriptor, document any) image.Descriptor {
	raw, err := json.Marshal(document)
	if err != nil {
		u.t.Fatal(err)
	}
	d := image.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: image.DigestOf(raw), Size: int64(len(raw)), Platform: &ocispec.Platform{OS: "unknown", Architecture: "unknown"}}
	d.Annotations = map[string]string{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": string(of.Digest)}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.attests[d.Digest] = raw
	return d
}

// statement makes an in-toto statement.
func (u *upstream) statement(text string) image.Descriptor {
	d := u.addBlob("application/vnd.in-toto+json", []byte(`{"_type":"https://in-toto.io/Statement/v0.1","predicate":"`+text+`"}`))
	d.Annotations = map[string]string{"in-toto.io/predicate-type": "https://spdx.dev/Document"}
	return d
}

// asked counts the requests for attestations.
func (u *upstream) asked() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.attested
}

// attested returns the digests of what is stored about an image.
func (b *bench) attested(of image.Descriptor) (found []image.Digest) {
	b.Helper()
	all, err := b.store.Images.Attestations(b.ctx, of.Digest)
	if err != nil {
		b.Fatal(err)
	}
	for _, a := range all {
		found = append(found, a.Digest)
	}
	return found
}

// passedOver returns the lines of a job that say what it went without.
func passedOver(j job.Job) (lines []string) {
	for _, l := range j.Outcome.Lines {
		if strings.Contains(l, "passed over") {
			lines = append(lines, l)
		}
	}
	return lines
}

func TestAPullStoresWhatDescribesTheChosenPlatform(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		amd64, arm64 := b.up.image("linux/amd64", b.up.layerBlob(1, 1000)), b.up.image("linux/arm64", b.up.layerBlob(2, 1000))
		shared := b.up.statement("both")
		sbom, other := b.up.statement("amd64's"), b.up.statement("arm64's")
		ofAmd64, ofArm64 := b.up.about(amd64, false, sbom, shared), b.up.about(arm64, true, other, shared)
		ref := b.up.tag("app:1", b.up.index(amd64, arm64, ofAmd64, ofArm64))
		j := b.done(ref, "linux/amd64")
		equal(t, "about amd64", b.attested(amd64), []image.Digest{ofAmd64.Digest})
		equal(t, "about arm64", b.attested(arm64), nil)
		equal(t, "passed over", passedOver(j), nil)
		if !b.stored(sbom) || !b.stored(shared) || b.stored(other) || b.up.asked() != 1 {
			t.Errorf("what describes arm64 was fetched, or of amd64 not all: %d requests", b.up.asked())
		}
		var attests, layers int
		for _, l := range j.Progress.Layers {
			if l.State != job.Complete || l.Bytes != l.Size {
				t.Errorf("%+v", l)
			}
			if l.Attests {
				attests++
			} else {
				layers++
			}
		}
		if attests != 2 || layers != 1 {
			t.Errorf("%d layers and %d statements are shown", layers, attests)
		}

		b.done(ref, "linux/arm64")
		equal(t, "about arm64", b.attested(arm64), []image.Digest{ofArm64.Digest})
		equal(t, "requests for the shared statement", b.up.requested(shared.Digest), []int64{0})
	})
}

func TestUpToDateWithWhatDescribesItCostsOneHead(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		amd64 := b.up.image("linux/amd64", b.up.layerBlob(1, 1000))
		ref := b.up.tag("app:1", b.up.index(amd64, b.up.about(amd64, false, b.up.statement("1"))))
		b.done(ref)
		heads, documents, blobs := b.up.requests()
		asked := b.up.asked()
		j := b.done(ref)
		h, d, bl := b.up.requests()
		if h != heads+1 || d != documents || bl != blobs || b.up.asked() != asked {
			t.Errorf("%d heads, %d documents, %d blobs, %d attestations more", h-heads, d-documents, bl-blobs, b.up.asked()-asked)
		}
		if j.Outcome.Newer {
			t.Error("it is newer")
		}
	})
}

// As images are that an older version has stored, or that were pulled when the registry did not answer.
func TestPullingAgainAddsWhatDescribesAStoredImage(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		amd64 := b.up.image("linux/amd64", b.up.layerBlob(1, 1000))
		about := b.up.about(amd64, false, b.up.statement("1"))
		ref := b.up.tag("app:1", b.up.index(amd64, about))
		b.up.attest = func(image.Reference) error { return image.Errorf(image.Unavailable, "it does not answer") }
		j := b.done(ref)
		equal(t, "about it", b.attested(amd64), nil)
		equal(t, "passed over", passedOver(j), []string{"linux/amd64: attestation " + string(about.Digest) + " passed over: it does not answer"})
		b.up.attest = nil
		j = b.done(ref)
		equal(t, "about it", b.attested(amd64), []image.Digest{about.Digest})
		if j.Outcome.Newer || j.Outcome.Lines[len(j.Outcome.Lines)-2] != "Status: Image is up to date for app:1" {
			t.Errorf("%q", j.Outcome.Lines)
		}
	})
}

func TestARegistryThatLacksWhatDescribesAnImageDoesNotFailItsPull(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		amd64, arm64 := b.up.image("linux/amd64", b.up.layerBlob(1, 1000)), b.up.image("linux/arm64", b.up.layerBlob(2, 1000))
		statement, config := b.up.statement("gone"), b.up.statement("there")
		noManifest, noBlob := b.up.about(amd64, false, b.up.statement("1")), b.up.about(arm64, false, config, statement)
		b.up.mu.Lock()
		delete(b.up.attests, noManifest.Digest)
		delete(b.up.blobs, statement.Digest)
		b.up.mu.Unlock()
		ref := b.up.tag("app:1", b.up.index(amd64, arm64, noManifest, noBlob))
		j := b.done(ref, "linux/amd64", "linux/arm64")
		equal(t, "about amd64", b.attested(amd64), nil)
		equal(t, "about arm64", b.attested(arm64), nil)
		lines := passedOver(j)
		if len(lines) != 2 || !strings.HasPrefix(lines[0], "linux/amd64: attestation "+string(noManifest.Digest)) || !strings.HasPrefix(lines[1], "linux/arm64: attestation "+string(noBlob.Digest)) {
			t.Errorf("%q", lines)
		}
		for _, l := range j.Progress.Layers {
			if l.Attests {
				t.Errorf("%+v is shown, and belongs to nothing", l)
			}
		}
		if done, total := j.Bytes(); done != total {
			t.Errorf("%d of %d bytes are there", done, total)
		}
	})
}

func TestARateLimitIsNotWaitedForToDescribeAnImage(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		amd64 := b.up.image("linux/amd64", b.up.layerBlob(1, 1000))
		ref := b.up.tag("app:1", b.up.index(amd64, b.up.about(amd64, false, b.up.statement("1"))))
		b.up.attest = func(image.Reference) error { return image.Errorf(image.RateLimited, "too many requests") }
		if j := b.done(ref); len(passedOver(j)) != 1 || b.up.asked() != 1 {
			t.Errorf("%q, asked %d times", j.Outcome.Lines, b.up.asked())
		}
	})
}

func TestWhatIsNoAttestationIsPassedOver(t *testing.T) {
	statements := func(n int, d image.Descriptor) (all []image.Descriptor) {
		for range n {
			all = append(all, d)
		}
		return all
	}
	for name, tt := range map[string]struct {
		entry func(u *upstream, of image.Descriptor) image.Descriptor
		says  string
	}{
		"bytes of another digest": {func(u *upstream, of image.Descriptor) image.Descriptor {
			d := u.about(of, false, u.statement("1"))
			u.attests[d.Digest] = append(u.attests[d.Digest], ' ')
			return d
		}, "other bytes"},
		"another size": {func(u *upstream, of image.Descriptor) image.Descriptor {
			d := u.about(of, false, u.statement("1"))
			d.Size++
			return d
		}, "announced"},
		"too large a manifest": {func(u *upstream, of image.Descriptor) image.Descriptor {
			d := u.about(of, false, u.statement("1"))
			d.Size = image.MaxAttestationManifest + 1
			return d
		}, "larger than"},
		"a larger manifest than it says": {func(u *upstream, of image.Descriptor) image.Descriptor {
			d := u.aboutFrom(of, map[string]any{"config": u.statement("1"), "layers": statements(1, u.statement("1")), "x": strings.Repeat("x", image.MaxAttestationManifest)})
			d.Size = 100
			return d
		}, "larger than"},
		"an index": {func(u *upstream, of image.Descriptor) image.Descriptor {
			return u.aboutFrom(of, ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{of}})
		}, "is no manifest of an attestation"},
		"the image itself": {func(u *upstream, of image.Descriptor) image.Descriptor {
			return u.aboutFrom(of, json.RawMessage(u.documents[of.Digest].Raw))
		}, "unsupported media type"},
		"another type than its content": {func(u *upstream, of image.Descriptor) image.Descriptor {
			return u.aboutFrom(of, ocispec.Manifest{MediaType: ocispec.MediaTypeImageIndex, Config: u.statement("1")})
		}, "contradicts its media type"},
		"no JSON": {func(u *upstream, of image.Descriptor) image.Descriptor { return u.aboutFrom(of, "text") }, "not valid JSON"},
		"layers of an image": {func(u *upstream, of image.Descriptor) image.Descriptor {
			return u.about(of, true, u.layerBlob(9, 100))
		}, "unsupported media type"},
		"too large a statement": {func(u *upstream, of image.Descriptor) image.Descriptor {
			d := u.statement("1")
			d.Size = image.MaxStatementSize + 1
			return u.about(of, false, d)
		}, "over the limit"},
		"too much in all": {func(u *upstream, of image.Descriptor) image.Descriptor {
			d := u.statement("1")
			d.Size = image.MaxStatementSize
			return u.about(of, false, statements(5, d)...)
		}, "more than"},
		"too many statements": {func(u *upstream, of image.Descriptor) image.Descriptor {
			return u.about(of, false, statements(image.MaxStatements+1, u.statement("1"))...)
		}, "more than 64"},
		"a statement of another size": {func(u *upstream, of image.Descriptor) image.Descriptor {
			d := u.statement("1")
			d.Size -= 3
			return u.about(of, false, d)
		}, "longer than"},
		"a shorter statement": {func(u *upstream, of image.Descriptor) image.Descriptor {
			d := u.statement("1")
			d.Size += 3
			return u.about(of, false, d)
		}, "broke after"},
		"a statement of another digest": {func(u *upstream, of image.Descriptor) image.Descriptor {
			d := u.statement("1")
			u.blobs[d.Digest] = bytes.Repeat([]byte("x"), int(d.Size))
			return u.about(of, false, d)
		}, "digest"},
		"a layer's digest with another size": {func(u *upstream, of image.Descriptor) image.Descriptor {
			d := u.documents[of.Digest].Manifest.Layers[0]
			d.MediaType, d.Size = "application/vnd.in-toto+json", d.Size-1
			return u.about(of, false, d)
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, pull.Options{}, func(b *bench) {
				layer := b.up.layerBlob(1, 1000)
				amd64 := b.up.image("linux/amd64", layer)
				entry := tt.entry(b.up, amd64)
				ref := b.up.tag("app:1", b.up.index(amd64, entry))
				j := b.done(ref)
				equal(t, "about it", b.attested(amd64), nil)
				lines := passedOver(j)
				if len(lines) != 1 || !strings.Contains(lines[0], string(entry.Digest)) || !strings.Contains(lines[0], tt.says) {
					t.Errorf("%q, want %q", j.Outcome.Lines, tt.says)
				}
				if !b.stored(layer) {
					t.Error("the image's layer is not stored")
				}
				if done, total := j.Bytes(); done != total {
					t.Errorf("%d of %d bytes are there", done, total)
				}
			})
		})
	}
}

func TestWhatDescribesSomethingElseIsNotAskedFor(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		amd64 := b.up.image("linux/amd64", b.up.layerBlob(1, 1000))
		elsewhere := b.up.image("linux/amd64", b.up.layerBlob(2, 1000))
		unknown := b.up.about(amd64, false, b.up.statement("1"))
		unknown.Annotations = map[string]string{"vnd.docker.reference.type": "something-else", "vnd.docker.reference.digest": string(amd64.Digest)}
		ref := b.up.tag("app:1", b.up.index(amd64, b.up.about(elsewhere, false, b.up.statement("2")), unknown))
		j := b.done(ref)
		if b.up.asked() != 0 || len(passedOver(j)) != 0 {
			t.Errorf("asked %d times: %q", b.up.asked(), j.Outcome.Lines)
		}
	})
}

func TestThousandsOfAttestationsOfOneImageAreNotAskedFor(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		amd64 := b.up.image("linux/amd64", b.up.layerBlob(1, 1000))
		entries := []image.Descriptor{amd64}
		var want []image.Digest
		for i := range image.MaxEntries - 1 {
			d := b.up.about(amd64, true, b.up.statement(fmt.Sprint(i)))
			entries = append(entries, d)
			if i < image.MaxAttestations {
				want = append(want, d.Digest)
			}
		}
		ref := b.up.tag("app:1", b.up.index(entries...))
		j := b.done(ref)
		got := b.attested(amd64)
		slices.Sort(want)
		equal(t, "about it", got, want)
		if lines := passedOver(j); b.up.asked() != image.MaxAttestations || len(lines) != 1 || !strings.Contains(lines[0], "more than 4") {
			t.Errorf("asked %d times: %q", b.up.asked(), lines)
		}
	})
}

// All platforms with as many statements as there can be: the blobs of the images are never crowded out.
func TestAttestationsLeaveRoomForTheImages(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		var entries []image.Descriptor
		var platforms []string
		for i := range 32 {
			platform := fmt.Sprintf("linux/arch%d", i)
			platforms = append(platforms, platform)
			of := b.up.image(platform, b.up.layerBlob(uint64(i), 100))
			entries = append(entries, of)
			for j := range image.MaxAttestations {
				var statements []image.Descriptor
				for k := range image.MaxStatements { // which the registry does not have: storing thousands takes long
					statements = append(statements, image.Descriptor{MediaType: image.MediaTypeInToto, Digest: image.DigestOf([]byte(fmt.Sprint(i, j, k))), Size: 10})
				}
				entries = append(entries, b.up.about(of, true, statements...))
			}
		}
		ref := b.up.tag("app:1", b.up.index(entries...))
		j := b.done(ref, platforms...)
		crowded := 0
		for _, l := range passedOver(j) {
			if strings.HasSuffix(l, "passed over: the pull has more than 8192 different blobs") {
				crowded++
			}
		}
		if len(j.Outcome.Pulled) != 32 || crowded == 0 || crowded > 4 {
			t.Errorf("%d platforms, %d attestations are crowded out: %q", len(j.Outcome.Pulled), crowded, j.Outcome.Lines)
		}
	})
}

func TestACancelledPullStopsReadingWhatDescribesTheImage(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		amd64 := b.up.image("linux/amd64", b.up.layerBlob(1, 1000))
		statement := b.up.statement("slow")
		ref := b.up.tag("app:1", b.up.index(amd64, b.up.about(amd64, false, statement)))
		b.up.blob = func(ctx context.Context, _ image.Repository, d image.Digest, _ int, body io.Reader) (io.Reader, error) {
			if d == statement.Digest {
				return upTo(ctx, 5, nil, body), nil
			}
			return body, nil
		}
		id := b.pull(ref).ID
		synctest.Wait()
		if err := b.jobs.Cancel(id, "ann"); err != nil {
			t.Fatal(err)
		}
		if j := b.end(id); j.State != job.Cancelled {
			t.Errorf("%+v", j)
		}
		if _, err := b.store.Images.Resolved(b.ctx, ref); image.KindOf(err) != image.NotFound {
			t.Errorf("it is recorded: %v", err)
		}
	})
}

func TestAPullOfAllTagsStoresWhatDescribesTheImages(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		var images []image.Descriptor
		for i := range 3 {
			of := b.up.image("linux/amd64", b.up.layerBlob(uint64(i), 1000))
			b.up.tag(fmt.Sprintf("app:%d", i), b.up.index(of, b.up.about(of, i == 1, b.up.statement(fmt.Sprint(i)))))
			images = append(images, of)
		}
		lacking := b.up.image("linux/amd64", b.up.layerBlob(7, 1000))
		without := b.up.about(lacking, false, b.up.statement("7"))
		b.up.tag("app:7", b.up.index(lacking, without))
		delete(b.up.attests, without.Digest)
		j, _, err := b.queue.Pull(b.ctx, pull.Request{Reference: image.Reference{Repository: "docker.io/library/app"}, AllTags: true})
		if err != nil {
			t.Fatal(err)
		}
		if j = b.end(j.ID); j.State != job.Done {
			t.Errorf("%s: %+v", j.State, j.Problem)
		}
		for i, of := range images {
			if len(b.attested(of)) != 1 {
				t.Errorf("nothing is stored about tag %d", i)
			}
		}
	})
}
