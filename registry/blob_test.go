package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/test/outside"
)

func blobOf(size int) ([]byte, image.Descriptor) {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return b, image.Descriptor{Digest: image.DigestOf(b), Size: int64(size)}
}

// readBlob reads a blob from an offset to its end.
func readBlob(t *testing.T, c *Client, repo string, d image.Descriptor, offset int64) ([]byte, int64, error) {
	t.Helper()
	r, start, err := c.Blob(t.Context(), image.Repository(repo), d, offset)
	if err != nil {
		return nil, start, err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	return b, start, err
}

// bodyBytes counts what a registry writes into its answers.
type bodyBytes struct {
	answering sync.RWMutex // read-locked by each answer under way
	n         atomic.Int64
}

func (b *bodyBytes) wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		b.answering.RLock()
		defer b.answering.RUnlock()
		h.ServeHTTP(&countingWriter{w, &b.n}, req)
	})
}

// take returns the count once no answer is under way, and begins again at 0.
func (b *bodyBytes) take() int64 {
	b.answering.Lock()
	defer b.answering.Unlock()
	return b.n.Swap(0)
}

type countingWriter struct {
	http.ResponseWriter
	sent *atomic.Int64
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.sent.Add(int64(n))
	return n, err
}

func TestBlobFromARealRegistryWholeAndResumed(t *testing.T) {
	var sent bodyBytes
	_, host := realRegistry(t, sent.wrap)
	layer, d := blobOf(3 << 20)
	push(t, host, "app", "1", newImage(t, layer))
	c := client(t, Options{})
	for _, offset := range []int64{0, 1, 2 << 20, int64(len(layer)) - 1} {
		sent.take()
		got, start, err := readBlob(t, c, host+"/app", d, offset)
		if err != nil || start != offset || !bytes.Equal(got, layer[offset:]) {
			t.Fatalf("from %d: %d bytes from %d, %v", offset, len(got), start, err)
		}
		if n, want := sent.take(), d.Size-offset; n < want || n > want+100 { // and the answer to the probe
			t.Errorf("from %d: the registry sent %d bytes, want %d", offset, n, want)
		}
	}
	if got, start, err := readBlob(t, c, host+"/app", d, d.Size); err != nil || start != 0 || !bytes.Equal(got, layer) {
		t.Errorf("from the end: %d bytes from %d, %v", len(got), start, err)
	}
	_, _, err := readBlob(t, c, host+"/app", d, d.Size+1)
	outside.WantKind(t, err, image.Invalid)
}

func TestRegistriesWithoutRangesStartOver(t *testing.T) {
	blob, d := blobOf(1000)
	for name, h := range map[string]http.HandlerFunc{
		"200": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(blob) },
		"416": func(w http.ResponseWriter, req *http.Request) {
			if req.Header.Get("Range") != "" {
				w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
				return
			}
			_, _ = w.Write(blob)
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, host := outside.Server(t, h)
			got, start, err := readBlob(t, client(t, Options{}), host+"/app", d, 400)
			if err != nil || start != 0 || !bytes.Equal(got, blob) {
				t.Errorf("%d bytes from %d, %v", len(got), start, err)
			}
		})
	}
}

func TestAnotherRangeThanAskedForIsAnError(t *testing.T) {
	blob, d := blobOf(1000)
	for _, contentRange := range []string{"bytes 0-999/1000", "bytes 500-999/1000", "bytes 400-899/1000",
		"bytes 400-999/2000", "", "rubbish"} {
		_, host := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", contentRange)
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(blob[400:])
		})
		_, _, err := readBlob(t, client(t, Options{}), host+"/app", d, 400)
		outside.WantKind(t, err, image.Corrupt, host, "from 400 to 999")
	}
}

func TestARangeNobodyAskedForIsAnErrorUnlessItIsTheWhole(t *testing.T) {
	blob, d := blobOf(1000)
	for contentRange, whole := range map[string]bool{"bytes 0-999/1000": true, "bytes 0-999/*": true,
		"bytes 0-499/1000": false, "": false} {
		_, host := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", contentRange)
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(blob)
		})
		got, _, err := readBlob(t, client(t, Options{}), host+"/app", d, 0)
		if whole && (err != nil || image.DigestOf(got) != d.Digest) {
			t.Errorf("%q: %v", contentRange, err)
		}
		if !whole {
			outside.WantKind(t, err, image.Corrupt, host)
		}
	}
}

func TestRedirectsKeepTheRangeAndDropTheAuthorization(t *testing.T) {
	blob, d := blobOf(1000)
	cdn, cdnHost := outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/first" {
			http.Redirect(w, req, "/second", http.StatusFound)
			return
		}
		http.ServeContent(w, req, "", time.Time{}, bytes.NewReader(blob))
	})
	registry, host := outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
		if _, _, ok := req.BasicAuth(); !ok {
			w.Header().Set("WWW-Authenticate", `Basic realm="r"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		http.Redirect(w, req, "http://"+cdnHost+"/first", http.StatusTemporaryRedirect)
	})
	conf := dockerConfigDir(t, auths(host, login("anna", "s3cret")))
	got, start, err := readBlob(t, client(t, Options{DockerConfig: conf}), host+"/app", d, 400)
	if err != nil || start != 400 || !bytes.Equal(got, blob[400:]) {
		t.Fatalf("%d bytes from %d, %v", len(got), start, err)
	}
	if registry.Last().Header.Get("Authorization") == "" {
		t.Error("the registry got no Authorization")
	}
	if want := []string{"GET /first", "GET /second"}; !slices.Equal(cdn.Requests(), want) {
		t.Errorf("the CDN got %v", cdn.Requests())
	}
	for _, req := range cdn.All() {
		if req.Header.Get("Authorization") != "" || req.Header.Get("Referer") != "" ||
			req.Header.Get("Range") != "bytes=400-" {
			t.Errorf("%s: the CDN got %v", req.URL.Path, req.Header)
		}
	}
}

func TestRedirectsAreBounded(t *testing.T) {
	_, d := blobOf(10)
	rec, host := outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, req.URL.Path+"/x", http.StatusFound)
	})
	_, _, err := readBlob(t, client(t, Options{}), host+"/app", d, 0)
	outside.WantKind(t, err, image.Unavailable, host, "redirects")
	if got := len(rec.Requests()); got != maxRedirects+1 {
		t.Errorf("%d requests", got)
	}
}

func TestABlobThatEndsHalfWayIsUnavailable(t *testing.T) {
	blob, d := blobOf(100_000)
	for name, h := range map[string]http.HandlerFunc{
		"connection closed": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(blob)))
			_, _ = w.Write(blob[:50_000])
		},
		"chunks end early": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(blob[:50_000])
			_ = http.NewResponseController(w).Flush()
		},
		"connection reset": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(blob[:50_000])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, host := outside.Server(t, h)
			got, _, err := readBlob(t, client(t, Options{}), host+"/app", d, 0)
			outside.WantKind(t, err, image.Unavailable, host, "half-way")
			if !bytes.Equal(got, blob[:50_000]) {
				t.Errorf("%d bytes came before the error", len(got))
			}
		})
	}
}

func TestNeverMoreThanTheDescriptorsBytes(t *testing.T) {
	blob, d := blobOf(100_000)
	t.Run("in chunks", func(t *testing.T) {
		_, host := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) {
			for range 1000 {
				if _, err := w.Write(blob); err != nil {
					return
				}
			}
		})
		got, _, err := readBlob(t, client(t, Options{}), host+"/app", d, 0)
		outside.WantKind(t, err, image.Corrupt, "more than the 100000 bytes")
		if len(got) != len(blob) {
			t.Errorf("%d bytes were handed out", len(got))
		}
	})
	t.Run("announced", func(t *testing.T) {
		_, host := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100001")
			_, _ = w.Write(append(slices.Clip(blob), 0))
		})
		_, _, err := readBlob(t, client(t, Options{}), host+"/app", d, 0)
		outside.WantKind(t, err, image.Corrupt, "100001 bytes", "100000 bytes")
	})
}

func TestAnEmptyBlob(t *testing.T) {
	_, host := outside.Server(t, func(http.ResponseWriter, *http.Request) {})
	if got, _, err := readBlob(t, client(t, Options{}), host+"/app", image.Descriptor{Digest: image.DigestOf(nil)},
		0); err != nil || len(got) != 0 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// halfABlob sends the first half and then nothing more.
func halfABlob(blob []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(blob)))
		_, _ = w.Write(blob[:len(blob)/2])
		_ = http.NewResponseController(w).Flush()
		<-req.Context().Done()
	}
}

func TestAStalledBlobIsGivenUp(t *testing.T) {
	blob, d := blobOf(1000)
	_, host := outside.Server(t, halfABlob(blob))
	got, _, err := readBlob(t, client(t, Options{StallTimeout: 100 * time.Millisecond}), host+"/app", d, 0)
	outside.WantKind(t, err, image.Unavailable, host, "stopped sending")
	if len(got) != 500 {
		t.Errorf("%d bytes came before the error", len(got))
	}
}

func TestABlobThatDoesNotBeginIsGivenUp(t *testing.T) {
	blob, d := blobOf(1000)
	half := halfABlob(blob)
	_, host := outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusServiceUnavailable) // and its reason never ends
		half(w, req)
	})
	_, _, err := readBlob(t, client(t, Options{DocumentTimeout: 100 * time.Millisecond}), host+"/app", d, 0)
	outside.WantKind(t, err, image.Unavailable, host)
}

func TestASlowReaderIsNoStall(t *testing.T) {
	blob, d := blobOf(1000)
	_, host := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(blob) })
	r, _, err := client(t, Options{}).Blob(t.Context(), image.Repository(host+"/app"), d, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for range 2 { // before the first read, and between two
		if r.(*blobReader).timer.Stop() {
			t.Error("the stall timer runs while nobody reads")
		}
		if _, err := io.ReadFull(r, make([]byte, 500)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCancellingABlobGivesTheContextsError(t *testing.T) {
	blob, d := blobOf(1000)
	_, host := outside.Server(t, halfABlob(blob))
	ctx, cancel := context.WithCancel(t.Context())
	r, _, err := client(t, Options{}).Blob(ctx, image.Repository(host+"/app"), d, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadFull(r, make([]byte, 500)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.ReadAll(r); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

func TestClosedBlobsFreeTheirPlace(t *testing.T) {
	blob, d := blobOf(1000)
	_, host := outside.Server(t, halfABlob(blob))
	c := client(t, Options{Concurrency: 1})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for i := range 3 * (1 + spareRequests) {
		r, _, err := c.Blob(ctx, image.Repository(host+"/app"), d, 0)
		if err != nil {
			t.Fatalf("blob %d: %v", i, err)
		}
		if err := errors.Join(r.Close(), r.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpenBlobsDoNotHoldDocumentsUp(t *testing.T) {
	blob, d := blobOf(1000)
	slow, raw := halfABlob(blob), newImage(t, blob).raw
	_, host := outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
		if strings.Contains(req.URL.Path, "/blobs/") {
			slow(w, req)
			return
		}
		manifest(w, "application/vnd.oci.image.manifest.v1+json", raw)
	})
	c := client(t, Options{Concurrency: 8})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for i := range 8 {
		r, _, err := c.Blob(ctx, image.Repository(fmt.Sprintf("%s/app%d", host, i)), d, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
	}
	if _, err := c.Document(ctx, mustRef(t, host+"/app:1")); err != nil {
		t.Errorf("beside 8 open blobs: %v", err)
	}
}
