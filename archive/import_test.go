package archive_test

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/archive"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/shelf"
)

func linux(architecture string) v1.Platform {
	return v1.Platform{OS: "linux", Architecture: architecture}
}

func TestEveryLayoutBringsTheImageWithItsID(t *testing.T) {
	img := named{built(t, small()), []string{"docker.io/library/tool:1", "ghcr.io/acme/tool:2"}}
	id := img.Blobs[0].Descriptor.Digest
	for name, tt := range map[string]struct {
		raw     []byte
		digest  digest.Digest // the manifest's, where the archive has it
		unnamed bool
	}{
		"docker 1.10 to 24":         {raw: tarOf(t, saved(t, img)...)},
		"docker 25 and newer":       {raw: tarOf(t, modern(t, img)...)},
		"OCI image layout":          {raw: tarOf(t, layout(t, nil, img)...), digest: img.Digest()},
		"gzip":                      {raw: gzipped(t, tarOf(t, saved(t, img)...))},
		"zstd":                      {raw: zstandard(t, tarOf(t, layout(t, nil, img)...)), digest: img.Digest()},
		"names that begin with ./":  {raw: tarOf(t, dotted(layout(t, nil, img))...), digest: img.Digest()},
		"manifest.json first":       {raw: tarOf(t, reversed(saved(t, img))...)},
		"podman's hard links":       {raw: tarOf(t, hardLinked(saved(t, img))...)},
		"a tar without its trailer": {raw: tarOf(t, saved(t, img)...)[:len(tarOf(t, saved(t, img)...))-1024]},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			j, err := b.send(tt.raw, "")
			if err != nil {
				t.Fatal(err)
			}
			if want := []string{"Loaded image: tool:1", "Loaded image: ghcr.io/acme/tool:2"}; !slices.Equal(j.Outcome.Lines,
				want) || j.State != job.Done || !j.Outcome.Newer {
				t.Errorf("the job is %s, newer %v, and says %q", j.State, j.Outcome.Newer, j.Outcome.Lines)
			}
			for _, ref := range img.names {
				target := b.target(ref)
				if len(target.Images) != 1 || target.Images[0].ID != id || target.Images[0].Platform != amd64 ||
					!target.Images[0].Broken.Empty() || target.Reason != shelf.ByTag {
					t.Fatalf("%s is %+v", ref, target)
				}
				if tt.digest != "" && target.Digest != tt.digest {
					t.Errorf("the digest became %s, was %s", target.Digest, tt.digest)
				}
				// What is shown is proved: the background has nothing left to do.
				if target.Images[0].Unpacked < 0 {
					t.Error("the layers are still to be unpacked")
				}
			}
			if found := stages(t, b.dir); len(found) > 0 {
				t.Errorf("the stage holds %v", found)
			}
		})
	}
}

func dotted(entries []entry) []entry {
	for i := range entries {
		entries[i].header.Name = "./" + entries[i].header.Name
	}
	return append([]entry{special(tar.TypeDir, "./", "")}, entries...)
}

func reversed(entries []entry) []entry {
	slices.Reverse(entries)
	return entries
}

// hardLinked reaches every layer through a hard link to a file of another name.
func hardLinked(entries []entry) []entry {
	var out []entry
	for _, e := range entries {
		if name := e.header.Name; strings.HasSuffix(name, "/layer.tar") && e.header.Typeflag == tar.TypeReg {
			moved := strings.ReplaceAll(name, "/", "-")
			link := special(tar.TypeLink, name, moved)
			e.header.Name = moved
			out = append(out, e, link)
			continue
		}
		out = append(out, e)
	}
	return out
}

func TestAnArchiveFromBefore110GetsItsConfigAsDockerMadeIt(t *testing.T) {
	b := newBed(t)
	img := built(t, small())
	b.stores(legacy(t, "old/tool:1", unpackedLayer(t, img.Layers()[0]), unpackedLayer(t, img.Layers()[1])), "")
	target := b.target("old/tool:1")
	if len(target.Images) != 1 {
		t.Fatalf("%+v", target)
	}
	raw, err := b.store.Blobs.ReadBlob(target.Images[0].ID, image.MaxConfigSize)
	if err != nil {
		t.Fatal(err)
	}
	// docker's own order of keys (sorted) and of those within history: the ID is the digest of exactly this.
	want := `{"architecture":"amd64","config":{"Cmd":["/bin/sh"]},"container_config":{"Cmd":["/bin/sh","-c","step"]},"created":"2015-06-01T00:00:00Z","docker_version":"1.8.2",` +
		`"history":[{"created":"2015-06-01T00:00:00Z","created_by":"/bin/sh -c step"},{"created":"2015-06-01T00:00:00Z","created_by":"/bin/sh -c step"}],"os":"linux",` +
		`"rootfs":{"type":"layers","diff_ids":["` + string(img.DiffIDs[0]) + `","` + string(img.DiffIDs[1]) + `"]}}`
	if string(raw) != want {
		t.Errorf("the config is\n%s\nnot\n%s", raw, want)
	}
}

func TestAnIndexComesWithThePlatformsThatTheArchiveHas(t *testing.T) {
	arm := small()
	arm.Platform = linux("arm64")
	arm.Steps = []sample.Step{{By: "COPY arm /", Layer: sample.NewLayer(sample.Gzip, sample.Text("arm", "arm\n"))}}
	index := built(t, sample.Index{Entries: []sample.Source{small(), arm}, Attest: true})
	missing, _ := index.For("linux/arm64")
	for name, left := range map[string]func(digest.Digest) bool{
		"without a manifest": func(d digest.Digest) bool { return d == missing.Digest() },
		"without a layer":    func(d digest.Digest) bool { return d == missing.Layers()[0].Descriptor.Digest },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			j := b.stores(layout(t, left, named{index, []string{"docker.io/library/tool:1"}}), "")
			target := b.target("tool:1")
			if target.Digest != index.Digest() || len(target.Images) != 1 || target.Images[0].Platform != amd64 || uploadOf(j).
				Partly != 1 {
				t.Fatalf("%+v, %+v", target, uploadOf(j))
			}
			// The other platform is added by the archive that has it.
			b.stores(layout(t, nil, named{index, []string{"docker.io/library/tool:1"}}), "")
			if target := b.target("tool:1"); target.Digest != index.Digest() || len(target.Images) != 2 {
				t.Fatalf("%+v", target)
			}
		})
	}
}

func TestNamesAreTheArchivesOrTheSenders(t *testing.T) {
	one := built(t, small())
	other := small()
	other.Author = "somebody else"
	two := built(t, other)
	tagged := func(ref string, b sample.Built) []entry {
		entries := layout(t, nil, named{b, nil})
		index := v1.Index{MediaType: v1.MediaTypeImageIndex, Manifests: []v1.Descriptor{b.Descriptor}}
		index.SchemaVersion = 2
		index.Manifests[0].Annotations = map[string]string{v1.AnnotationRefName: ref}
		return append(entries[:len(entries)-1], jsonFile(t, v1.ImageIndexFile, index))
	}
	for name, tt := range map[string]struct {
		entries []entry
		given   string
		refs    []string // that are stored then; none where it is refused
		says    string
	}{
		"an unnamed one needs a name": {layout(t, nil, named{one, nil}), "", nil,
			"does not say what its image"},
		"an unnamed one by name and tag": {layout(t, nil, named{one, nil}), "team/app:1.2",
			[]string{"team/app:1.2"}, ""},
		"a name alone means latest": {layout(t, nil, named{one, nil}), "team/app",
			[]string{"team/app:latest"}, ""},
		"by digest": {layout(t, nil, named{one, nil}), "team/app@" + string(one.Digest()),
			[]string{"team/app@" + string(one.Digest())}, ""},
		"by another digest": {layout(t, nil, named{one, nil}), "team/app@" + string(two.Digest()),
			nil, "the archive holds"},
		"a tag alone needs a repository": {tagged("1.2", one), "", nil, "a tag without a repository"},
		"a tag alone in a repository":    {tagged("1.2", one), "team/app", []string{"team/app:1.2"}, ""},
		"a full name in the standard's annotation": {tagged("ghcr.io/acme/app:3", one), "", []string{"ghcr.io/acme/app:3"},
			""},
		"a given name wins": {saved(t, named{one, []string{"app:1"}}), "team/app:2",
			[]string{"team/app:2"}, ""},
		"one name for two images": {layout(t, nil, named{one, nil}, named{two, nil}), "team/app:1", nil,
			"2 images"},
		"a repository for several unnamed ones": {layout(t, nil, named{one, nil}, named{two, nil}), "team/app",
			[]string{"team/app@" + string(one.Digest()), "team/app@" + string(two.Digest())}, ""},
		"two images of one name": {layout(t, nil, named{one, []string{"app:1"}},
			named{two, []string{"app:1"}}), "", nil, "two images app:1"},
		"what is no name": {layout(t, nil, named{one, nil}), "Team/App:1", nil,
			"not an image reference"},
		"a name in the archive that is none": {saved(t, named{one, []string{"../../etc:1"}}), "", nil,
			"not an image reference"},
		"several images of one archive": {saved(t, named{one, []string{"app:1"}},
			named{two, []string{"app:2"}}), "", []string{"app:1", "app:2"}, ""},
		"several names of one image": {saved(t, named{one, []string{"app:1", "app:2"}}), "",
			[]string{"app:1", "app:2"}, ""},
		"a digest in the archive that is another's": {tagged("app@"+string(two.Digest()), one), "", nil,
			"by another digest"},
		"a digest in the archive that is the image's": {tagged("app@"+string(one.Digest()), one), "",
			[]string{"app@" + string(one.Digest())}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			if tt.refs == nil {
				before := b.left()
				if _, err := b.send(tarOf(t, tt.entries...), tt.given); err == nil || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("it is refused by %v, not by %q", err, tt.says)
				}
				if after := b.left(); after != before {
					t.Errorf("something is left:\n%s", after)
				}
				return
			}
			b.stores(tt.entries, tt.given)
			for _, ref := range tt.refs {
				b.target(ref)
			}
			if _, total, err := b.store.Lists.List(t.Context(), shelf.Query{Limit: 10}); err != nil || total != len(tt.refs) {
				t.Errorf("%d rows, %v", total, err)
			}
		})
	}
}

func TestATagMovesAsDockerLoadMovesIt(t *testing.T) {
	b := newBed(t)
	before := built(t, small())
	b.stores(layout(t, nil, named{before, []string{"app:1"}}), "")
	other := small()
	other.Author = "somebody else"
	after := built(t, other)
	j := b.stores(layout(t, nil, named{after, []string{"app:1"}}), "")
	if target := b.target("app:1"); target.Digest != after.Digest() {
		t.Errorf("the tag points to %s", target.Digest)
	}
	if target := b.target("app@" + string(before.Digest())); target.Reason != shelf.Dangling {
		t.Errorf("what it pointed to is %v", target.Reason)
	}
	if len(j.Outcome.Lines) != 2 || !strings.HasPrefix(j.Outcome.Lines[0], "The image app:1 already exists") ||
		uploadOf(j).Images[0].Previous != before.Digest() {
		t.Errorf("%q, %+v", j.Outcome.Lines, uploadOf(j).Images)
	}
	events, err := b.store.Tags.TagHistory(t.Context(), "docker.io/library/app", "1")
	if err != nil || len(events) != 2 || events[0].Event != shelf.TagMoved || events[0].By != "mira" ||
		events[0].PullID != j.ID || !events[0].Uploaded {
		t.Errorf("the history is %+v, %v", events, err)
	}
}

// Docker's archives do not hold the manifest that the registry has: loading what is there already must not take a tag
// off it.
func TestATagStaysWhereItHasTheImageAlready(t *testing.T) {
	arm := small()
	arm.Platform = linux("arm64")
	index := built(t, sample.Index{Entries: []sample.Source{small(), arm}})
	img, _ := index.For("linux/amd64")
	for name, entries := range map[string][]entry{
		"docker 1.10 to 24":      saved(t, named{img, []string{"app:1"}}),
		"docker 25 and newer":    modern(t, named{img, []string{"app:1"}}),
		"a platform of an index": layout(t, nil, named{img, []string{"app:1"}}),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			b.stores(layout(t, nil, named{index, []string{"app:1"}}), "")
			before := b.left()
			j := b.stores(entries, "")
			if target := b.target("app:1"); target.Digest != index.Digest() || j.Outcome.Newer || !uploadOf(j).Images[0].Same {
				t.Errorf("the tag points to %s; %+v", target.Digest, uploadOf(j))
			}
			if after := b.left(); after != before {
				t.Errorf("the shelf has changed:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
}

// Of the layers of docker's archives those are not stored that belong to images that are there already.
func TestAnUploadShowsTheLayersThatItStored(t *testing.T) {
	b := newBed(t)
	other := small()
	other.Steps = []sample.Step{{By: "COPY other /", Layer: sample.NewLayer(sample.Gzip, sample.Text("other", "other\n"))}}
	known, fresh := built(t, small()), built(t, other)
	b.stores(layout(t, nil, named{known, []string{"app:1"}}), "")
	j := b.stores(saved(t, named{known, []string{"app:1"}}, named{fresh, []string{"app:2"}}), "")
	if !uploadOf(j).Images[0].Same || uploadOf(j).Images[1].Same || len(j.Progress.Layers) != 1 ||
		j.Progress.Layers[0].Digest != fresh.DiffIDs[0] {
		t.Fatalf("%+v, %+v", uploadOf(j), j.Progress.Layers)
	}
	for _, l := range j.Progress.Layers {
		if _, _, err := b.store.Images.Layer(t.Context(), l.Digest, 1); err != nil {
			t.Error(err)
		}
	}
}

// What an upload does to its sender's connection, it does before it is over.
func TestAnUploadIsOverAfterItsInterrupt(t *testing.T) {
	b := newBed(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	interrupted := false // the race detector sees when nobody waits for it
	_, err := b.importer.Import(ctx, archive.Request{Body: readerFunc(func([]byte) (int, error) {
		cancel()
		return 0, io.ErrUnexpectedEOF
	}), Size: -1, Interrupt: func() { interrupted = true }})
	if err == nil || !interrupted {
		t.Errorf("interrupted: %v, %v", interrupted, err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A registry's own manifest is not the same as one that was made of docker's archive, though it has the same image ID.
func TestARegistrysManifestTakesTheTagOfAMadeOne(t *testing.T) {
	b := newBed(t)
	img := built(t, small())
	b.stores(saved(t, named{img, []string{"app:1"}}), "")
	b.stores(layout(t, nil, named{img, []string{"app:1"}}), "")
	if target := b.target("app:1"); target.Digest != img.Digest() {
		t.Errorf("the tag points to %s, not to %s", target.Digest, img.Digest())
	}
}

func TestWhatIsNoImageIsLeftOut(t *testing.T) {
	b := newBed(t)
	img, note := built(t, small()), built(t, sample.Document("application/vnd.example.note"))
	b.stores(layout(t, nil, named{note, nil}, named{img, []string{"app:1"}}), "")
	b.target("app:1")
	b.refused(tarOf(t, layout(t, nil, named{note, []string{"app:2"}})...), "", image.Invalid, "holds no image")
}

func TestOnlyAFewArchivesAreTakenInAtOnceAndEverySenderFindsAPlace(t *testing.T) {
	b := newBed(t)
	begin := func(by string) (done func()) {
		done, err := b.importer.Begin(1, "", image.ActorNamed(by))
		if err != nil {
			t.Fatalf("an archive of %s: %v", by, err)
		}
		return done
	}
	busy := func(by string) {
		t.Helper()
		if _, err := b.importer.Begin(1, "", image.ActorNamed(by)); !errors.Is(err, archive.ErrBusy) {
			t.Errorf("one more of %s is refused by %v", by, err)
		}
	}
	var all []func()
	for range archive.MaxUploads {
		all = append(all, begin("10.0.0.1"))
	}
	busy("10.0.0.1")
	all[0]()
	all[0]() // calling it twice frees one place
	begin("10.0.0.1")
	busy("10.0.0.1")
	for _, other := range []string{"10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"} {
		defer begin(other)()
		busy(other)
	}
	busy("10.0.0.6") // all places are held
}

func TestSomethingTooLargeIsRefusedBeforeItIsRead(t *testing.T) {
	b := openBed(t, t.TempDir(), 1000)
	if _, err := b.importer.Begin(1001, "", image.ActorNamed("10.0.0.1")); image.KindOf(err) != image.TooLarge {
		t.Errorf("%v", err)
	}
	free, _, err := b.store.Space.Disk()
	if err != nil {
		t.Fatal(err)
	}
	b = newBed(t)
	if _, err := b.importer.Begin(int64(free), "", image.ActorNamed("10.0.0.1")); image.KindOf(err) != image.DiskFull {
		t.Errorf("%v", err)
	}
}

// interrupted gives an archive's first half, then says so, and gives no more until it is interrupted.
type interrupted struct {
	r      io.Reader
	halted chan struct{}
	cut    chan struct{}
}

func (i *interrupted) Read(p []byte) (int, error) {
	n, err := i.r.Read(p)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	close(i.halted)
	<-i.cut
	return 0, io.ErrUnexpectedEOF
}

func TestACancelledUploadLeavesNothing(t *testing.T) {
	raw := tarOf(t, saved(t, named{built(t, small()), []string{"app:1"}})...)
	for name, cancel := range map[string]func(b *bed, id int64, gone context.CancelFunc){
		"by somebody":       func(b *bed, id int64, _ context.CancelFunc) { _ = b.jobs.Cancel(id, "noor") },
		"by the sender":     func(_ *bed, _ int64, gone context.CancelFunc) { gone() },
		"by the end of all": func(b *bed, _ int64, _ context.CancelFunc) { _ = b.jobs.Close(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			before := b.left()
			body := &interrupted{r: strings.NewReader(string(raw[:len(raw)/2])), halted: make(chan struct{}),
				cut: make(chan struct{})}
			ctx, gone := context.WithCancel(t.Context())
			defer gone()
			type end struct {
				j   job.Job
				err error
			}
			ended := make(chan end, 1)
			go func() {
				j, err := b.importer.Import(ctx,
					archive.Request{Body: body, Size: int64(len(raw)), By: image.ActorNamed("mira"),
						Interrupt: func() { close(body.cut) }})
				ended <- end{j, err}
			}()
			<-body.halted
			if found := stages(t, b.dir); len(found) != 1 {
				t.Errorf("%d stages", len(found))
			}
			active := b.jobs.Active()
			if len(active) != 1 || active[0].Kind() != job.Upload || uploadOf(active[0]).Received != int64(len(raw)/2) {
				t.Fatalf("%+v", active)
			}
			cancel(b, active[0].ID, gone)
			e := <-ended
			if e.err == nil || !e.j.State.Final() || e.j.State == job.Done {
				t.Errorf("it ended as %s: %v", e.j.State, e.err)
			}
			kept, err := b.store.Jobs.Job(t.Context(), e.j.ID)
			if err != nil || kept.State != e.j.State || kept.Problem == nil || kept.Problem.Kind == image.Internal {
				t.Errorf("the record is %+v, %v", kept, err)
			}
			if after := b.left(); after != before {
				t.Errorf("something is left:\n%s", after)
			}
		})
	}
}

func TestWhatACrashLeavesOfAnUploadIsGoneAtTheNextStart(t *testing.T) {
	dir := t.TempDir()
	b := openBed(t, dir, 0)
	// As after a kill: the stage with a part of it, and a job that is not over.
	stage, err := b.store.Recorder.NewStage(-1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stage.Add(t.Context(), strings.NewReader("half of it"), -1); err != nil {
		t.Fatal(err)
	}
	lease, err := b.store.Jobs.
		Begin(t.Context(), job.Job{State: job.Pulling, Detail: archive.Upload{File: "half.tar", Size: 100, Received: 10}})
	if err != nil {
		t.Fatal(err)
	}
	if len(stages(t, dir)) != 1 {
		t.Fatal("there is no stage")
	}
	b.close()
	// Somebody else's files are not ours to remove.
	foreign := filepath.Join(dir, "ingest", "notes.txt")
	if err := os.WriteFile(foreign, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	b = openBed(t, dir, 0)
	if found := stages(t, dir); !slices.Equal(found, []string{foreign}) {
		t.Errorf("left: %v", found)
	}
	j, err := b.store.Jobs.Job(t.Context(), lease.ID)
	if err != nil || j.State != job.Failed || j.Problem == nil ||
		!strings.Contains(j.Problem.Message.String(), "the server stopped") {
		t.Errorf("the job is %+v, %v", j, err)
	}
	if n := b.jobs.ActiveCount(); n != 0 {
		t.Errorf("%d jobs go on", n)
	}
}

func TestRecordingAllOrNothing(t *testing.T) {
	b := newBed(t)
	// The shelf learns that a layer is another than a config says, then an archive brings that config beside a good image.
	bad := built(t, sample.WrongDiffID())
	good := small()
	good.Author = "good"
	b.refused(tarOf(t, layout(t, nil, named{built(t, good), []string{"app:1"}}, named{bad, []string{"app:2"}})...), "",
		image.Corrupt, "and the image's config says")
}
