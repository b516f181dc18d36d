package archive_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample"
)

// header writes one tar header as bytes, for what archive/tar does not write.
func header(kind byte, name string, size int64) []byte {
	block := make([]byte, 512)
	copy(block, name)
	copy(block[100:], "0000644\x00")
	copy(block[108:], "0000000\x000000000\x00")
	copy(block[124:], fmt.Sprintf("%011o\x00", size))
	copy(block[136:], "00000000000\x00")
	block[156] = kind
	copy(block[257:], "ustar\x0000")
	sum := 8 * int(' ')
	for _, c := range block {
		sum += int(c)
	}
	copy(block[148:], fmt.Sprintf("%06o\x00 ", sum))
	return block
}

// record writes a PAX record.
func record(key, value string) string {
	n := len(key) + len(value) + 3
	for {
		s := fmt.Sprintf("%d %s=%s\n", n, key, value)
		if len(s) == n {
			return s
		}
		n = len(s)
	}
}

// paxRecord is an extended header of one record.
func paxRecord(key, value string) []byte {
	r := []byte(record(key, value))
	return append(header('x', "pax", int64(len(r))), padded(r)...)
}

func padded(b []byte) []byte { return append(b, make([]byte, (512-len(b)%512)%512)...) }

// replaced gives entries with the content of one edited.
func replaced(t *testing.T, entries []entry, name string, edit func([]byte) []byte) []entry {
	t.Helper()
	for i, e := range entries {
		if e.header.Name == name {
			entries[i] = file(name, edit(bytes.Clone(e.body)))
			return entries
		}
	}
	t.Fatalf("there is no %s", name)
	return nil
}

func without(entries []entry, suffix string) []entry {
	var out []entry
	for _, e := range entries {
		if !strings.HasSuffix(e.header.Name, suffix) {
			out = append(out, e)
		}
	}
	return out
}

func TestAHostileOrDamagedArchiveIsRefusedAndLeavesNothing(t *testing.T) {
	img := named{built(t, small()), []string{"docker.io/library/app:1"}}
	classic := func() []entry { return saved(t, img) }
	oci := func() []entry { return layout(t, nil, img) }
	of := func(b sample.Built, err error) []entry {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return layout(t, nil, named{b, []string{"app:1"}})
	}
	bomb, err := sample.Bomb(1<<30 + 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	whole := tarOf(t, classic()...)
	layer := img.Layers()[0].Descriptor.Digest
	other := func(kind byte, name, target string) []byte {
		return tarOf(t, append(classic(), special(kind, name, target))...)
	}

	for name, tt := range map[string]struct {
		raw  []byte
		kind image.Kind
		says string
	}{
		"nothing":                   {nil, image.Invalid, "nothing was sent"},
		"a text":                    {[]byte("this is no archive"), image.Invalid, "not a tar archive"},
		"noise":                     {bytes.Repeat([]byte{0x5a, 0x17, 0x99}, 4000), image.Invalid, "not a tar archive"},
		"an empty tar":              {tarOf(t), image.Invalid, "holds no image"},
		"a container's files":       {tarOf(t, file("etc/passwd", []byte("root"))), image.Invalid, "docker export"},
		"no image in manifest.json": {tarOf(t, file("manifest.json", []byte("[]"))), image.Invalid, "holds no image"},
		"null in manifest.json":     {tarOf(t, file("manifest.json", []byte("null"))), image.Invalid, "holds no image"},
		"bzip2 that is none":        {[]byte("BZh91AY&SY........"), image.Corrupt, "ends too early"},
		"xz that is none":           {[]byte("\xfd7zXZ\x00........"), image.Corrupt, "compression is damaged"},
		"a zip file": {append([]byte("PK\x03\x04\x14\x00"), make([]byte, 2000)...), image.Invalid,
			"a zip file"},
		"an empty zip file":     {append([]byte("PK\x05\x06"), make([]byte, 18)...), image.Invalid, "a zip file"},
		"a 7z file":             {append([]byte("7z\xbc\xaf\x27\x1c"), make([]byte, 2000)...), image.Invalid, "a 7z file"},
		"a RAR file":            {append([]byte("Rar!\x1a\x07\x01\x00"), make([]byte, 2000)...), image.Invalid, "a RAR file"},
		"PowerShell's UTF-16":   {utf16("\xff\xfe", whole), image.Invalid, "as PowerShell writes it with >"},
		"UTF-16 without a mark": {utf16("", whole), image.Invalid, "docker save -o FILE"},
		"UTF-16 of little":      {[]byte("\xff\xfea\x00"), image.Invalid, "as PowerShell writes it with >"},
		"UTF-8 with a mark":     {append([]byte("\xef\xbb\xbf"), whole...), image.Invalid, "byte order mark"},
		"UTF-16 in gzip":        {gzipped(t, utf16("\xff\xfe", whole)), image.Invalid, "as PowerShell writes it with >"},
		"a JSON document":       {[]byte(`[{"Config":"x"}]`), image.Invalid, "a JSON document"},
		"a web page":            {[]byte("<!doctype html><title>Sign in</title>"), image.Invalid, "a web page"},
		"gzip in gzip":          {gzipped(t, gzipped(t, whole)), image.Invalid, "compressed twice"},

		"truncated in a layer":     {whole[:len(whole)/3], image.Corrupt, "ends too early"},
		"truncated before its end": {tarOf(t, classic()[:6]...), image.Invalid, "holds no image"},
		"truncated before a layer": {cutBefore(t), image.Corrupt, "ends too early"},
		"truncated gzip":           {gzipped(t, whole)[:5_000], image.Corrupt, "ends too early"},
		"truncated zstd":           {zstandard(t, whole)[:5_000], image.Corrupt, "ends too early"},
		"damaged gzip":             {damaged(gzipped(t, whole)), image.Corrupt, "damaged"},
		"a wrong checksum":         {badChecksum(gzipped(t, whole)), image.Corrupt, "compression is damaged"},
		"a damaged header": {append(bytes.Clone(whole[:512*2]), bytes.Repeat([]byte("x"), 2048)...),
			image.Corrupt, "is damaged after its entry"},
		"much behind the end": {append(bytes.Clone(whole), make([]byte, 2<<20)...), image.Invalid, "follow the end"},
		"a layer is missing": {tarOf(t, without(classic(), "/layer.tar")...), image.Corrupt,
			"which is not in the archive"},
		"the config is missing": {tarOf(t, without(classic(), img.Blobs[0].Descriptor.Digest.Encoded()+".json")...),
			image.Corrupt, "which is not in the archive"},
		"a blob is missing": {tarOf(t, without(oci(), layer.Encoded())...), image.Corrupt,
			"which is not in the archive"},
		"the index is missing": {tarOf(t, without(oci(), "index.json")...), image.Corrupt,
			"which is not in the archive"},
		"another version of OCI": {tarOf(t,
			replaced(t, oci(), "oci-layout", func([]byte) []byte { return []byte(`{"imageLayoutVersion":"2.0.0"}`) })...),
			image.Invalid, "only 1.0.0 is known"},
		"an index that is none": {tarOf(t,
			replaced(t, oci(), "index.json", func([]byte) []byte { return []byte(`{"schemaVersion":2,"layers":[]}`) })...),
			image.Corrupt, "index.json cannot be read"},
		"a manifest.json that is none": {tarOf(t,
			replaced(t, classic(), "manifest.json", func([]byte) []byte { return []byte("{not json") })...), image.Corrupt,
			"manifest.json cannot be read"},
		"deep JSON": {tarOf(t, replaced(t, classic(), "manifest.json",
			func([]byte) []byte { return bytes.Repeat([]byte("["), 1<<17) })...), image.Corrupt,
			"nested deeper than 100 levels"},
		"huge JSON": {tarOf(t, replaced(t, classic(), "manifest.json",
			func([]byte) []byte { return bytes.Repeat([]byte(" "), 5<<20) })...), image.TooLarge, "at most"},
		"a huge config": {tarOf(t, replaced(t, classic(), img.Blobs[0].Descriptor.Digest.Encoded()+".json",
			func(b []byte) []byte { return append(b, bytes.Repeat([]byte(" "), 9<<20)...) })...), image.TooLarge,
			"the config is larger"},

		"a wrong digest": {tarOf(t, replaced(t, oci(), "blobs/sha256/"+layer.Encoded(), damaged)...), image.Corrupt,
			"is not what its name says"},
		"a wrong size": {tarOf(t, of(sample.WrongSize(7).Build())...), image.Corrupt,
			"the archive says that it has"},
		"a wrong diff ID": {tarOf(t, of(sample.WrongDiffID().Build())...), image.Corrupt,
			"and the image's config says"},
		"another layer's content": {tarOf(t, swapped(t, classic())...), image.Corrupt, "and the image's config says"},
		"a layer that is no gzip": {tarOf(t, of(sample.NotGzip().Build())...), image.Corrupt, "cannot be unpacked"},
		"a layer that is no tar":  {tarOf(t, of(sample.NotTar().Build())...), image.Corrupt, "cannot be unpacked"},
		"half a layer":            {tarOf(t, of(sample.Truncated().Build())...), image.Corrupt, "cannot be unpacked"},
		"more behind a layer":     {tarOf(t, of(sample.Trailing().Build())...), image.Corrupt, "cannot be unpacked"},
		"a diff ID too few":       {tarOf(t, of(sample.MissingDiffID())...), image.Corrupt, "diff IDs"},
		"a config that is none":   {tarOf(t, of(sample.BadConfig())...), image.Corrupt, "config"},
		"indexes without end":     {tarOf(t, of(sample.DeepIndex(8).Build())...), image.TooLarge, "indexes in indexes"},
		"no platform of an index": {tarOf(t,
			layout(t, func(d digest.Digest) bool { return d == img.Digest() },
				named{built(t, sample.Index{Entries: []sample.Source{small()}}), []string{"app:1"}})...), image.Corrupt,
			"none of the platforms"},

		"a bomb as a layer":        {tarOf(t, of(bomb.Build())...), image.TooLarge, "decompression bomb"},
		"a bomb as a whole":        {bombTar(t), image.TooLarge, "decompression bomb"},
		"a zstd of a great window": {greatWindow(t), image.TooLarge, "of memory"},
		"many entries":             {manyEntries(t, 20_001), image.TooLarge, "more than 20000 entries"},
		"a great many layers": {tarOf(t, replaced(t, classic(), "manifest.json", manyLayers)...), image.TooLarge,
			"more than 1000"},
		"a great many images": {tarOf(t, replaced(t, classic(), "manifest.json", manyImages)...), image.TooLarge,
			"more than 1000"},
		"a great many names": {tarOf(t, replaced(t, classic(), "manifest.json", manyNames)...), image.TooLarge,
			"more than 1000"},
		"JSON of a great many values": {tarOf(t,
			replaced(t, classic(), "manifest.json",
				func([]byte) []byte { return fmt.Appendf(nil, "[%s{}]", strings.Repeat("{},", 1<<20)) })...), image.TooLarge,
			"values"},
		"configs that grow in memory": {tarOf(t, grown(t)...), image.TooLarge, "of memory"},
		"many manifests to be made":   {tarOf(t, toBeMade(t)...), image.TooLarge, "of memory"},
		"a header without end": {append(header('L', "././@LongLink", 2<<20), make([]byte, 2<<20)...), image.TooLarge,
			"header that is too long"},
		"PAX records without end": {append(header('x', "pax", 2<<20), make([]byte, 2<<20)...), image.TooLarge,
			"header that is too long"},
		"a member of terabytes": {bytes.Join([][]byte{paxRecord("size", "9000000000000000"), header('0', "big", 0)},
			nil), image.TooLarge, "is larger than"},
		"a member of negative bytes": {bytes.Join([][]byte{paxRecord("size", "-1"), header('0', "big", 0)}, nil),
			image.Invalid, "not a tar archive"},

		"a way out": {tarOf(t, append(classic(), file("../../etc/cron.d/evil", []byte("x")))...),
			image.Invalid, "leads out of the archive"},
		"a way out in the middle": {tarOf(t, append(classic(), file("a/../../evil", []byte("x")))...), image.Invalid,
			"leads out of the archive"},
		"a way out by a folder": {other(tar.TypeDir, "../evil/", ""), image.Invalid, "leads out of the archive"},
		"an absolute path": {tarOf(t, append(classic(), file("/etc/passwd", []byte("x")))...), image.Invalid,
			"leads out of the archive"},
		"a name that is no text": {append(header('0', "a\xff\xfe", 0), make([]byte, 1024)...), image.Invalid,
			"is not a name"},
		"a very long name": {tarOf(t, append(classic(), file(strings.Repeat("a/", 400)+"b", nil))...),
			image.Invalid, "is not a name"},
		"a symlink to /etc/passwd": {other(tar.TypeSymlink, "layer", "/etc/passwd"), image.Invalid,
			"leads out of the archive"},
		"a symlink to a way out": {other(tar.TypeSymlink, "a/layer", "../../etc/passwd"), image.Invalid,
			"leads out of the archive"},
		"a hard link to a way out": {other(tar.TypeLink, "layer", "../etc/passwd"), image.Invalid,
			"leads out of the archive"},
		"a hard link to /etc/passwd": {other(tar.TypeLink, "layer", "/etc/passwd"), image.Invalid,
			"leads out of the archive"},
		"a link to itself": {other(tar.TypeSymlink, "loop", "loop"), image.Invalid, "leads in a circle"},
		"links in a circle": {tarOf(t,
			append(classic(), special(tar.TypeSymlink, "a", "b"), special(tar.TypeLink, "b", "a"))...), image.Invalid,
			"leads in a circle"},
		"a config through a way out": {tarOf(t,
			replaced(t, classic(), "manifest.json",
				func([]byte) []byte { return []byte(`[{"Config":"../../etc/passwd","Layers":[]}]`) })...), image.Invalid,
			"leads out of the archive"},
		"a config of this server": {tarOf(t,
			replaced(t, classic(), "manifest.json",
				func([]byte) []byte { return []byte(`[{"Config":"/etc/passwd","Layers":[]}]`) })...), image.Invalid,
			"leads out of the archive"},
		"layers without end": {tarOf(t, circle(t)...), image.Corrupt, "have no end"},
		"a device":           {other(tar.TypeBlock, "dev/sda", ""), image.Invalid, "is a device"},
		"a character device": {other(tar.TypeChar, "dev/null", ""), image.Invalid, "is a device"},
		"a pipe":             {other(tar.TypeFifo, "pipe", ""), image.Invalid, "is a device"},
		"an unknown kind": {append(append(bytes.Clone(whole[:len(whole)-1024]), header('Z', "what", 0)...),
			make([]byte, 1024)...), image.Invalid, "is a device"},
		"a sparse file": {append(header(tar.TypeGNUSparse, "holes", 0), make([]byte, 1024)...), image.Invalid,
			""},
		"a sparse file in PAX": {paxSparse(), image.Invalid, "sparse"},
		"two manifest.json": {tarOf(t, append(classic(), file("manifest.json", []byte("[]")))...), image.Invalid,
			"twice"},
		"two equal manifest.json": {tarOf(t, append(classic(), classic()[len(classic())-2])...), image.Invalid,
			"twice"},
		"two layers of one name": {tarOf(t, append(classic(), file(layerName(classic()), []byte("another")))...),
			image.Invalid, "twice"},
		"a file in the place of a link": {tarOf(t,
			append(classic(), special(tar.TypeSymlink, layerName(classic()), "manifest.json"))...), image.Invalid, "twice"},
	} {
		t.Run(name, func(t *testing.T) { newBed(t).refused(tt.raw, "", tt.kind, tt.says) })
	}
}

// utf16 writes bytes as PowerShell does: two for each.
func utf16(mark string, raw []byte) []byte {
	wide := []byte(mark)
	for _, b := range raw[:2000] {
		wide = append(wide, b, 0)
	}
	return wide
}

// The bytes of a whole archive are bounded as they are sent and as they unpack.
func TestAnArchiveLargerThanIsTakenIsRefusedWhileItComes(t *testing.T) {
	whole := tarOf(t, saved(t, named{built(t, small()), []string{"app:1"}})...)
	b := openBed(t, t.TempDir(), int64(len(whole))-1)
	done, err := b.importer.Begin(-1, "", image.ActorNamed("10.0.0.1")) // nobody said how large it is
	if err != nil {
		t.Fatal(err)
	}
	done()
	for name, raw := range map[string][]byte{"plain": whole, "compressed": zstandard(t, whole)} {
		before := b.left()
		if _, err := b.importer.Import(t.Context(), upload(raw)); image.KindOf(err) != image.TooLarge {
			t.Errorf("%s: %v", name, err)
		}
		if after := b.left(); after != before {
			t.Errorf("%s: something is left:\n%s", name, after)
		}
	}
	b = openBed(t, t.TempDir(), int64(len(whole)))
	if _, err := b.send(whole, ""); err != nil {
		t.Errorf("one that just fits: %v", err)
	}
}

// damaged changes a byte in the middle.
func damaged(raw []byte) []byte {
	raw[len(raw)/2] ^= 0xff
	return raw
}

// badChecksum changes the checksum at the end of a gzip stream.
func badChecksum(raw []byte) []byte {
	raw[len(raw)-8] ^= 0xff
	return raw
}

// swapped exchanges the content of the two layers.
func swapped(t *testing.T, entries []entry) []entry {
	t.Helper()
	var at []int
	for i, e := range entries {
		if strings.HasSuffix(e.header.Name, "/layer.tar") {
			at = append(at, i)
		}
	}
	if len(at) != 2 {
		t.Fatalf("%d layers", len(at))
	}
	a, b := entries[at[0]], entries[at[1]]
	entries[at[0]], entries[at[1]] = file(a.header.Name, b.body), file(b.header.Name, a.body)
	return entries
}

func layerName(entries []entry) string {
	for _, e := range entries {
		if strings.HasSuffix(e.header.Name, "/layer.tar") {
			return e.header.Name
		}
	}
	return ""
}

// bombTar unpacks to more than a GiB and has a thousandth of that.
func bombTar(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	const size = 1<<30 + 64<<20
	if _, err := w.Write(header('0', "zeros", size)); err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range size >> 20 {
		if _, err := w.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// greatWindow asks for 512 MiB of memory.
func greatWindow(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, zstd.WithWindowSize(512<<20))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(w, zeros{}, 600<<20); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func manyEntries(t *testing.T, n int) []byte {
	t.Helper()
	entries := make([]entry, n)
	for i := range entries {
		entries[i] = special(tar.TypeDir, fmt.Sprintf("%d/", i), "")
	}
	return tarOf(t, entries...)
}

func manyLayers(raw []byte) []byte {
	var items []savedItem
	if err := json.Unmarshal(raw, &items); err != nil {
		panic(err) // the test wrote it
	}
	for len(items[0].Layers) < 1001 {
		items[0].Layers = append(items[0].Layers, items[0].Layers[0])
	}
	out, err := json.Marshal(items)
	if err != nil {
		panic(err) // texts always marshal
	}
	return out
}

func manyImages(raw []byte) []byte {
	item := strings.TrimSuffix(strings.TrimPrefix(string(raw), "["), "]")
	return []byte("[" + strings.Repeat(item+",", 1000) + item + "]")
}

// manyNames gives an image so many names that comparing each with each would take minutes.
func manyNames(raw []byte) []byte {
	var names []byte
	for i := range 200_000 {
		names = fmt.Appendf(names, "\"a:%d\",", i)
	}
	return bytes.Replace(raw, []byte(`"RepoTags":[`), append([]byte(`"RepoTags":[`), names...), 1)
}

// growing returns configs that have few bytes and a great many steps without a layer, and what manifest.json says of
// them.
func growing(t *testing.T, images int) ([]entry, []savedItem) {
	t.Helper()
	var entries []entry
	var items []savedItem
	steps := strings.Repeat("{},", 49_000)
	for i := range images {
		name := fmt.Sprintf("%d.json", i)
		entries = append(entries, file(name,
			fmt.Appendf(nil, `{"author":"%d","os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[]},"history":[%s{}]}`, i, steps)))
		items = append(items, savedItem{Config: name, RepoTags: []string{fmt.Sprintf("app:%d", i)}})
	}
	return entries, items
}

// grown is an archive of such configs.
func grown(t *testing.T) []entry {
	t.Helper()
	entries, items := growing(t, 30)
	return append(entries, jsonFile(t, "manifest.json", items))
}

// toBeMade is an archive of configs that take most of the memory there is for documents, and of a small one and two
// layers, in so many orders that the manifests made of them take more than the rest.
func toBeMade(t *testing.T) []entry {
	t.Helper()
	const layers = 1000
	one, two := tarOf(t, file("one", nil)), tarOf(t, file("two", nil))
	diffIDs := strings.TrimSuffix(strings.Repeat(`"`+string(digest.FromBytes(one))+`",`, layers), ",")
	entries, items := growing(t, 17)
	entries = append(entries, file("c",
		[]byte(`{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[`+diffIDs+`]}}`)), file("1", one),
		file("2", two))
	for i := range 95 {
		item := savedItem{Config: "c", RepoTags: []string{fmt.Sprintf("made:%d", i)},
			Layers: slices.Repeat([]string{"1"}, layers)}
		item.Layers[i] = "2"
		items = append(items, item)
	}
	return append(entries, jsonFile(t, "manifest.json", items))
}

// cutBefore is an index of two platforms, cut off between two entries: before the last one, which is a layer.
func cutBefore(t *testing.T) []byte {
	t.Helper()
	index := attestedIndex(t, false)
	arm, _ := index.For("linux/arm64")
	raw := tarOf(t, without(layout(t, nil, named{index, []string{"app:1"}}),
		arm.Layers()[0].Descriptor.Digest.Encoded())...)
	return raw[:len(raw)-1024]
}

// circle is an archive from before 1.10 whose two layers are each other's parent.
func circle(t *testing.T) []entry {
	t.Helper()
	return []entry{
		file("a/json", []byte(`{"id":"a","parent":"b"}`)), file("a/layer.tar", tarOf(t)),
		file("b/json", []byte(`{"id":"b","parent":"a"}`)), file("b/layer.tar", tarOf(t)),
		jsonFile(t, "repositories", map[string]map[string]string{"app": {"1": "a"}}),
	}
}

// paxSparse is a file of a terabyte that has no bytes.
func paxSparse() []byte {
	records := record("GNU.sparse.major", "1") + record("GNU.sparse.minor", "0") + record("GNU.sparse.name", "holes") +
		record("GNU.sparse.realsize", "1099511627776")
	return bytes.Join([][]byte{header('x', "pax", int64(len(records))), padded([]byte(records)),
		header('0', "GNUSparseFile.0/holes", 512), padded([]byte("0\n")), make([]byte, 1024)}, nil)
}
