package layer_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stowage/stowage/image/layer"
)

func TestTheReasonOfABadLayerSaysWhatIsWrongAndWhere(t *testing.T) {
	plain := tarOf(t, file("a", strings.Repeat("content ", 500)), file("b", "b"))
	gz := gzipped(t, plain)
	wrong := bytes.Clone(gz)
	wrong[len(wrong)-8] ^= 0x55
	limits := layer.Limits{MaxBytes: 4_000_000, MaxEntries: 2, MaxWindow: 1 << 20}
	for name, test := range map[string]struct {
		blob []byte
		want string
	}{
		"a text":             {[]byte("this is not a layer"), "it is not a tar archive"},
		"half a gzip stream": {gz[:12], "it ends too early"},
		"a cut tar":          {gzipped(t, plain[:1000]), "the tar inside it ends too early (byte 1000 of its tar, entry 1)"},
		"noise after a file": {gzipped(t, join(plain[:len(plain)-1024], bytes.Repeat([]byte("noise"), 500))),
			"what follows its first entries is not a tar archive (byte 6144 of its tar, entry 2)"},
		"a wrong checksum": {wrong, "the checksum of its compressed data is wrong (byte 6656 of its tar, entry 2)"},
		"bytes behind it": {join(gz, []byte("trailing bytes")),
			"its compressed data is damaged, or other bytes follow it (byte 6656 of its tar, entry 2)"},
		"xz": {[]byte("\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4\x46"),
			"it is compressed with xz, which layers must not be"},
		"a bomb": {gzipped(t, tarOf(t, file("a", strings.Repeat("\x00", 4_000_001)))),
			"it unpacks to more than 4MB (byte 512 of its tar, entry 1)"},
		"too many entries": {gzipped(t, tarOf(t, file("a", "a"), file("b", "b"), file("c", "c"))),
			"it has more than 2 entries (byte 2560 of its tar, entry 3)"},
	} {
		_, err := layer.Inspect(context.Background(), bytes.NewReader(test.blob), limits)
		if err == nil {
			t.Errorf("%s is taken", name)
			continue
		}
		if got := layer.Reason(err).String(); got != test.want {
			t.Errorf("%s: %q, want %q (%v)", name, got, test.want, err)
		}
		if got := layer.Reason(fmt.Errorf("further up: %w", err)).String(); got != test.want {
			t.Errorf("%s, wrapped: %q", name, got)
		}
	}
}
