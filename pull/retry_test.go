package pull_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/pull/fetch"
	"github.com/stowage/stowage/shelf"
)

// breaks makes the first times requests for a blob break after n bytes.
func (u *upstream) breaks(d image.Descriptor, times int, n int64) {
	u.blob = func(_ context.Context, _ image.Repository, digest image.Digest, nth int, body io.Reader) (io.Reader, error) {
		if digest == d.Digest && nth <= times {
			return broken(n, body), nil
		}
		return body, nil
	}
}

func TestBrokenDownloadIsRetriedVisiblyFromWhereItStopped(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		l := b.up.layerBlob(1, 5000)
		b.up.breaks(l, 1, 3000)
		id := b.pull(b.up.tag("app:1", b.up.image("linux/amd64", l))).ID
		now := time.Now() // the bubble's clock stands still while nothing sleeps
		got := b.live(id).Progress.Layers[0]
		if wait := got.RetryAt.Sub(now); got.State != job.Retrying || wait < 500*time.Millisecond || wait > time.Second {
			t.Errorf("the layer is %s for %s, want retrying in about a second", got.State, wait)
		}
		if !strings.Contains(got.Reason.String(), "broke after 3000 of") {
			t.Errorf("reason %q", got.Reason)
		}
		j := b.end(id)
		if l := j.Progress.Layers[0]; j.State != job.Done || l.Reason.String() != "" || !l.RetryAt.IsZero() {
			t.Errorf("the pull is %s with the layer %+v", j.State, l)
		}
		equal(t, "offsets", b.up.requested(l.Digest), []int64{0, 3000})
		if s := b.queue.Traffic(); s.Retries != 1 {
			t.Errorf("%d retries, want 1", s.Retries)
		}
	})
}

func TestRegistryWithoutRangesBeginsAgain(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		l := b.up.layerBlob(1, 5000)
		b.up.noRanges = true
		b.up.breaks(l, 2, 3000)
		j := b.done(b.up.tag("app:1", b.up.image("linux/amd64", l)))
		if got := j.Progress.Layers[0]; got.Bytes != l.Size || got.Resumed != 0 {
			t.Errorf("layer: %+v", got)
		}
	})
}

func TestWhatCameOverTheNetworkIsCountedWhateverBecameOfIt(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		l := b.up.layerBlob(1, 5000)
		b.up.noRanges = true
		b.up.breaks(l, 2, 3000)
		d := b.up.image("linux/amd64", l)
		j := b.done(b.up.tag("app:1", d))
		m, err := b.store.Images.KeptDocument(b.ctx, d.Digest)
		if err != nil {
			t.Fatal(err)
		}
		if want := 3000 + 3000 + l.Size + m.Manifest.Config.Size; j.Progress.Moved != want {
			t.Errorf("%d bytes, want %d", j.Progress.Moved, want)
		}
		if kept, err := b.store.Jobs.Job(b.ctx, j.ID); err != nil || kept.Progress.Moved != j.Progress.Moved {
			t.Errorf("the record has %d bytes, %v", kept.Progress.Moved, err)
		}
		if again := b.done(b.up.tag("app:2", d)); again.Progress.Moved != 0 {
			t.Errorf("%d bytes for what is stored", again.Progress.Moved)
		}
	})
}

func TestGivesUpAfterFiveTriesWithoutProgress(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		l := b.up.layerBlob(1, 5000)
		b.up.breaks(l, 100, 0)
		p := b.fails(image.Unavailable, b.up.tag("app:1", b.up.image("linux/amd64", l)))
		if !strings.Contains(p.Message.String(), "broke after 0 of") {
			t.Errorf("message %q", p.Message)
		}
		equal(t, "offsets", b.up.requested(l.Digest), []int64{0, 0, 0, 0, 0})
	})
}

func TestProgressMakesTriesCountAnew(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		l := b.up.layerBlob(1, 1_000_000)
		b.up.breaks(l, 9, 100_000)
		b.done(b.up.tag("app:1", b.up.image("linux/amd64", l)))
		if got := len(b.up.requested(l.Digest)); got != 10 {
			t.Errorf("%d requests, want 10", got)
		}
	})
}

func TestRefusalIsNotRetried(t *testing.T) {
	for _, kind := range []image.Kind{image.Unauthorized, image.NotFound, image.Forbidden} {
		t.Run(string(kind), func(t *testing.T) {
			inBubble(t, pull.Options{}, func(b *bench) {
				l := b.up.layerBlob(1, 5000)
				b.up.blob = func(_ context.Context, _ image.Repository, d image.Digest, _ int, body io.Reader) (io.Reader, error) {
					if d == l.Digest {
						return nil, image.Errorf(kind, "no")
					}
					return body, nil
				}
				b.fails(kind, b.up.tag("app:1", b.up.image("linux/amd64", l)))
				equal(t, "offsets", b.up.requested(l.Digest), []int64{0})
			})
		})
	}
}

// final is an answer that stays the same.
type final struct{}

func (final) Error() string { return "409 Conflict" }
func (final) Lasts() bool   { return true }

func TestARefusalThatLastsIsNotRetriedWhileResolving(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		b.up.head = func(image.Reference) error { return image.Errorf(image.Unavailable, "it moves").Because(final{}) }
		b.fails(image.Unavailable, b.up.tag("app:1", b.up.image("linux/amd64", b.up.layerBlob(1, 50))))
		if b.up.heads != 1 {
			t.Errorf("%d requests, want 1", b.up.heads)
		}
	})
}

func TestATagThatTheRegistryForbidsEndsNoPullOfAllTags(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		one := b.up.tag("app:1", b.up.image("linux/amd64", b.up.layerBlob(1, 50)))
		b.up.tag("app:2", b.up.image("linux/amd64", b.up.layerBlob(2, 50)))
		b.up.head = func(ref image.Reference) error {
			if ref.Tag == "2" {
				return image.Errorf(image.Forbidden, "in quarantine").Because(final{})
			}
			return nil
		}
		j, _, err := b.queue.Pull(context.Background(), pull.Request{Reference: image.Reference{Repository: one.Repository}, AllTags: true})
		if err != nil {
			t.Fatal(err)
		}
		states := map[string]pull.TagState{}
		for _, l := range allTags(b.end(j.ID)).Tags {
			states[l.Tag] = l.State
		}
		if states["1"] != pull.TagDone || states["2"] != pull.TagFailed {
			t.Errorf("the tags are %v", states)
		}
	})
}

func TestADocumentThatCameInsteadOfAHeadIsNotAskedForAgain(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		b.up.sends = true
		b.done(b.up.tag("app:1", b.up.image("linux/amd64", b.up.layerBlob(1, 50))))
		if b.up.heads != 1 || b.up.reads != 0 {
			t.Errorf("%d and %d requests, want 1 and 0", b.up.heads, b.up.reads)
		}
	})
}

func TestALengthThatHeadGivesIsNoProof(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		b.up.length = 7
		b.done(b.up.tag("app:1", b.up.image("linux/amd64", b.up.layerBlob(1, 50))))
	})
}

func TestUnreachableRegistryIsAskedAgainWhileResolving(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		failures := 2
		b.up.head = func(image.Reference) error {
			if failures--; failures >= 0 {
				return image.Errorf(image.Unavailable, "nobody answers")
			}
			return nil
		}
		id := b.pull(b.up.tag("app:1", b.up.image("linux/amd64", b.up.layerBlob(1, 10)))).ID
		j := b.live(id)
		if j.State != job.Resolving || j.Progress.Reason.String() != "nobody answers" || !j.Progress.RetryAt.After(time.Now()) {
			t.Errorf("the pull is %s, %q until %s", j.State, j.Progress.Reason, j.Progress.RetryAt)
		}
		if j := b.end(id); j.State != job.Done || j.Progress.Reason.String() != "" {
			t.Errorf("the pull is %s, %q", j.State, j.Progress.Reason)
		}
	})
}

func TestConfigThatIsRetriedIsShown(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		d := b.up.image("linux/amd64", b.up.layerBlob(1, 10))
		b.up.breaks(b.up.documents[d.Digest].Manifest.Config, 1, 5)
		id := b.pull(b.up.tag("app:1", d)).ID
		if j := b.live(id); j.State != job.Pulling || !strings.Contains(j.Progress.Reason.String(), "broke after 5 of") || j.Progress.RetryAt.IsZero() {
			t.Errorf("the pull is %s, %q until %s", j.State, j.Progress.Reason, j.Progress.RetryAt)
		}
		if j := b.end(id); j.State != job.Done || j.Progress.Reason.String() != "" {
			t.Errorf("the pull is %s, %q", j.State, j.Progress.Reason)
		}
	})
}

// limit is the cause of a rate limit that knows its end.
type limit struct{ until time.Time }

func (limit) Error() string        { return "429" }
func (l limit) RetryAt() time.Time { return l.until }

func TestRateLimitThatEndsSoonIsWaitedFor(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		start, limited := time.Now(), true
		b.up.document = func(image.Reference) error {
			if limited {
				limited = false
				return image.Errorf(image.RateLimited, "too many requests").Because(limit{start.Add(10 * time.Minute)})
			}
			return nil
		}
		j := b.done(b.up.tag("app:1", b.up.image("linux/amd64", b.up.layerBlob(1, 10))))
		if took := j.Finished.Sub(start); took < 10*time.Minute || took > 11*time.Minute {
			t.Errorf("the pull took %s, want ten minutes", took)
		}
	})
}

func TestRateLimitThatEndsLateFailsSayingUntilWhen(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		until := time.Now().Add(6 * time.Hour)
		b.up.head = func(image.Reference) error {
			return image.Errorf(image.RateLimited, "too many requests").Because(limit{until})
		}
		p := b.fails(image.RateLimited, b.up.tag("app:1", b.up.image("linux/amd64", b.up.layerBlob(1, 10))))
		if want := until.UTC().Format("2006-01-02 15:04 UTC"); !strings.Contains(p.Suggestion.String(), want) {
			t.Errorf("suggestion %q does not say %s", p.Suggestion, want)
		}
	})
}

func TestBlobMangledOnceIsFetchedAgainWhole(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		l := b.up.layerBlob(1, 5000)
		b.up.blob = func(_ context.Context, _ image.Repository, d image.Digest, nth int, body io.Reader) (io.Reader, error) {
			if d == l.Digest && nth == 1 {
				return strings.NewReader(strings.Repeat("x", int(l.Size))), nil
			}
			return body, nil
		}
		b.done(b.up.tag("app:1", b.up.image("linux/amd64", l)))
		equal(t, "offsets", b.up.requested(l.Digest), []int64{0, 0})
	})
}

func TestBlobMangledTwiceFailsThePull(t *testing.T) {
	for name, body := range map[string]func(size int) string{
		"same length": func(size int) string { return strings.Repeat("x", size) },
		"longer":      func(size int) string { return strings.Repeat("x", size+1) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, pull.Options{}, func(b *bench) {
				l := b.up.layerBlob(1, 5000)
				b.up.blob = func(_ context.Context, _ image.Repository, d image.Digest, _ int, right io.Reader) (io.Reader, error) {
					if d == l.Digest {
						return strings.NewReader(body(int(l.Size))), nil
					}
					return right, nil
				}
				ref := b.up.tag("app:1", b.up.image("linux/amd64", l))
				b.fails(image.Corrupt, ref)
				equal(t, "offsets", b.up.requested(l.Digest), []int64{0, 0})
				if b.stored(l) {
					t.Error("the wrong blob is stored")
				}
				b.up.blob = nil
				if got := b.done(ref).Progress.Layers[0].Resumed; got != 0 {
					t.Errorf("%d bytes of the wrong blob were kept", got)
				}
			})
		})
	}
}

func TestManifestThatLiesAboutALayersSizeFails(t *testing.T) {
	inBubble(t, pull.Options{Backoff: fetch.Backoff{Tries: 2}}, func(b *bench) {
		l := b.up.layerBlob(1, 5000)
		lie := l
		lie.Size--
		b.fails(image.Corrupt, b.up.tag("app:1", b.up.image("linux/amd64", lie)))
		b.done(b.up.tag("app:2", b.up.image("linux/amd64", l)))
	})
}

func TestDocumentWithOtherBytesIsRefused(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		right, wrong := b.up.image("linux/amd64", b.up.layerBlob(1, 10)), b.up.image("linux/arm64", b.up.layerBlob(2, 10))
		ref := b.up.tag("app:1", b.up.index(right))
		b.up.documents[right.Digest] = b.up.documents[wrong.Digest]
		b.fails(image.Corrupt, ref)
	})
}

func TestEntryThatLiesAboutItsSizeIsRefused(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		d := b.up.image("linux/amd64", b.up.layerBlob(1, 10))
		d.Size++
		b.fails(image.Corrupt, b.up.tag("app:1", b.up.index(d)))
	})
}

func TestConfigThatDoesNotFitItsManifestFailsThePull(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		one, two := b.up.layerBlob(1, 10), b.up.layerBlob(2, 10)
		m := *b.up.documents[b.up.image("linux/amd64", one, two).Digest].Manifest
		d := b.up.addDocument(map[string]any{"schemaVersion": 2, "config": m.Config, "layers": m.Layers[:1]}, "application/vnd.oci.image.manifest.v1+json")
		b.fails(image.Corrupt, b.up.tag("app:1", d))
	})
}

// fullShelf is a shelf whose disk is full.
type fullShelf struct{ pull.Blobs }

func (s fullShelf) NewBlob(d image.Descriptor) (shelf.BlobWriter, error) {
	w, err := s.Blobs.NewBlob(d)
	return fullWriter{w}, err
}

type fullWriter struct{ shelf.BlobWriter }

func (fullWriter) Write([]byte) (int, error) {
	return 0, image.Errorf(image.DiskFull, "the disk is full").Because(syscall.ENOSPC)
}

func TestFullDiskFailsWithoutRetry(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		b.stop()
		b.start(pull.Options{}, fullShelf{b.store.Blobs})
		b.fails(image.DiskFull, b.up.tag("app:1", b.up.image("linux/amd64", b.up.layerBlob(1, 10))))
		if s := b.queue.Traffic(); s.Retries != 0 {
			t.Errorf("%d retries, want none", s.Retries)
		}
	})
}

func TestPanicFailsItsPullOnly(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		l := b.up.layerBlob(1, 10)
		b.up.blob = func(_ context.Context, _ image.Repository, d image.Digest, _ int, body io.Reader) (io.Reader, error) {
			if d == l.Digest {
				panic("secret path /srv")
			}
			return body, nil
		}
		p := b.fails(image.Internal, b.up.tag("app:1", b.up.image("linux/amd64", l)))
		if p.Message.String() != "internal error" {
			t.Errorf("message %q", p.Message)
		}
		b.done(b.up.tag("app:2", b.up.image("linux/amd64", b.up.layerBlob(2, 10))))
	})
}

func TestForeignErrorIsShownAsInternal(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		b.up.head = func(image.Reference) error { return errors.New("open /srv/secret: no") }
		p := b.fails(image.Internal, b.up.tag("app:1", b.up.image("linux/amd64", b.up.layerBlob(1, 10))))
		if p.Message.String() != "internal error" {
			t.Errorf("message %q", p.Message)
		}
	})
}

func TestFailureEndsTheOtherDownloadsAndKeepsThem(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		half, bad := b.up.layerBlob(1, 5000), b.up.layerBlob(2, 10)
		fail := make(chan struct{})
		b.up.hold(half, 3000)
		hold := b.up.blob
		b.up.blob = func(ctx context.Context, repo image.Repository, d image.Digest, nth int, body io.Reader) (io.Reader, error) {
			if d == bad.Digest {
				return io.MultiReader(upTo(ctx, 0, fail, nil0{}), gone{}), nil
			}
			return hold(ctx, repo, d, nth, body)
		}
		ref := b.up.tag("app:1", b.up.image("linux/amd64", half, bad))
		id := b.pull(ref).ID
		synctest.Wait()
		close(fail)
		j := b.end(id)
		if j.State != job.Failed || j.Progress.Layers[0].Bytes != 3000 || j.Progress.Layers[1].Reason.String() != "blob unknown" {
			t.Errorf("the pull is %s with the layers %+v", j.State, j.Progress.Layers)
		}
		b.up.blob = nil
		b.done(ref)
		equal(t, "offsets", b.up.requested(half.Digest), []int64{0, 3000})
	})
}

func TestRateLimitWithoutATimeIsTriedAFewTimes(t *testing.T) {
	inBubble(t, pull.Options{Backoff: fetch.Backoff{Tries: 3}}, func(b *bench) {
		b.up.head = func(image.Reference) error { return image.Errorf(image.RateLimited, "too many requests") }
		b.fails(image.RateLimited, b.up.tag("app:1", b.up.image("linux/amd64", b.up.layerBlob(1, 10))))
		if heads, _, _ := b.up.requests(); heads != 3 {
			t.Errorf("%d HEADs, want 3", heads)
		}
	})
}

func TestImageWithoutADeclaredPlatformIsHeldAgainstItsConfig(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		l := b.up.layerBlob(1, 10)
		silent := b.up.image("linux/riscv64", l)
		silent.Platform = nil
		ref := b.up.tag("app:1", b.up.index(silent, b.up.image("linux/arm64", l)))
		b.fails(image.NoPlatform, ref, "linux/s390x")
		j := b.done(ref, "linux/riscv64")
		equal(t, "platforms", j.Outcome.Pulled, []image.Platform{parse(t, "linux/riscv64")})
	})
}
