package fake

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// CloseAfter drops the connection after n bytes of the body.
func CloseAfter(n int64) Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		next.ServeHTTP(&cutWriter{ResponseWriter: w, left: n, at: func() {
			_ = http.NewResponseController(w).Flush() // a writer that cannot flush has no buffer either
			panic(http.ErrAbortHandler)
		}}, r)
	}
}

// Status answers with a status and the distribution API's error body.
func Status(status int, code, message string) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { apiError(w, status, code, message) }
}

// TooManyRequests answers 429 with Retry-After, in seconds or as an HTTP date; empty leaves it out.
func TooManyRequests(retryAfter string) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		apiError(w, http.StatusTooManyRequests, "TOOMANYREQUESTS", "you have reached your pull rate limit")
	}
}

// Challenge answers 401 with a WWW-Authenticate header, whatever the client sends.
func Challenge(header string) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("WWW-Authenticate", header)
		apiError(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
	}
}

// HTML answers 200 with a page, as captive portals and wrong addresses do.
func HTML() Fault {
	return Replace("text/html; charset=utf-8",
		[]byte("<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Welcome to the guest network</h1><script>alert(1)</script></body></html>"))
}

// Replace answers 200 with another body.
func Replace(mediaType string, body []byte) Fault {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", mediaType)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(http.StatusOK)
		if r.Method != http.MethodHead {
			_, _ = w.Write(body) // a client that went away needs no answer
		}
	}
}

// WrongDigest states another digest in Docker-Content-Digest than that of the content.
func WrongDigest() Fault {
	return alterHeader(func(h http.Header) {
		h.Set("Docker-Content-Digest", digest.FromString("something else").String())
	})
}

// NoDigest leaves Docker-Content-Digest out, as some registries do.
func NoDigest() Fault {
	return alterHeader(func(h http.Header) { h.Del("Docker-Content-Digest") })
}

// IgnoreRange answers 200 with the whole body to a request for a part of it.
func IgnoreRange() Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		whole := r.Clone(r.Context())
		whole.Header.Del("Range")
		alterHeader(func(h http.Header) { h.Del("Accept-Ranges") })(w, whole, next)
	}
}

// RefuseRange answers 416 to a request for a part.
func RefuseRange() Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Header.Get("Range") == "" {
			next.ServeHTTP(w, r)
			return
		}
		apiError(w, http.StatusRequestedRangeNotSatisfiable, "RANGE_INVALID", "invalid content range")
	}
}

// WrongRange answers 206 to a request for a part, but with the bytes from the beginning.
func WrongRange() Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		from, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes=")
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		start, _, _ := strings.Cut(from, "-")
		n, err := strconv.ParseInt(start, 10, 64)
		if err != nil || n < 1 {
			next.ServeHTTP(w, r)
			return
		}
		other := r.Clone(r.Context())
		other.Header.Set("Range", fmt.Sprintf("bytes=0-%d", n-1))
		next.ServeHTTP(w, other)
	}
}

// Redirect answers 307 to the same path at another base address, as registries send blobs to their storage.
func Redirect(base string) Fault {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		w.Header().Set("Location", strings.TrimSuffix(base, "/")+r.URL.RequestURI())
		w.WriteHeader(http.StatusTemporaryRedirect)
	}
}

// Corrupt changes the last byte of each body, and nothing else.
func Corrupt() Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		next.ServeHTTP(&corruptWriter{ResponseWriter: w}, r)
	}
}

type corruptWriter struct {
	http.ResponseWriter
	written int64
}

// Unwrap lets http.ResponseController reach the connection.
func (c *corruptWriter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *corruptWriter) Write(p []byte) (int, error) {
	size, err := strconv.ParseInt(c.Header().Get("Content-Length"), 10, 64)
	if last := size - 1 - c.written; err == nil && last >= 0 && last < int64(len(p)) {
		p = append([]byte(nil), p...) // the bytes are the registry's own
		p[last] ^= 1
	}
	n, err := c.ResponseWriter.Write(p)
	c.written += int64(n)
	return n, err
}

// Slow sends bodies at most at a rate in bytes a second, so that a person can watch a download.
func Slow(rate int64) Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		next.ServeHTTP(&slowWriter{ResponseWriter: w, r: r, rate: rate, start: time.Now()}, r)
	}
}

type slowWriter struct {
	http.ResponseWriter
	r       *http.Request
	rate    int64
	start   time.Time
	written int64
}

// Unwrap lets http.ResponseController reach the connection.
func (s *slowWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s *slowWriter) Write(p []byte) (int, error) {
	sent := 0
	for sent < len(p) {
		part := p[sent:min(len(p), sent+int(max(1, s.rate/20)))]
		// The wait comes first, so that no byte arrives before its time.
		s.written += int64(len(part))
		t := time.NewTimer(time.Until(s.start.Add(
			time.Duration(float64(s.written) / float64(s.rate) * float64(time.Second)))))
		select {
		case <-t.C:
		case <-s.r.Context().Done():
			t.Stop()
			return sent, s.r.Context().Err() // the context's own error
		}
		n, err := s.ResponseWriter.Write(part)
		sent += n
		if err != nil {
			return sent, err
		}
		_ = http.NewResponseController(s.ResponseWriter).Flush() // a writer that cannot flush has no buffer either
	}
	return sent, nil
}

// SelfIndex answers each request for a manifest with an index whose only entry is that manifest itself: the digest
// asked for, or that of the tag as a digest. Its own digest is stated as the one asked for. Nobody can build that
// honestly, so a client that verifies digests refuses it, and one that does not goes round for ever.
func SelfIndex() Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		_, reference, ok := strings.Cut(r.URL.Path, "/manifests/")
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		d := digest.Digest(reference)
		if d.Validate() != nil {
			d = digest.FromString(reference)
		}
		// The number is padded to a fixed width, so that the length can be known before it is written.
		const form = `{"schemaVersion":2,"mediaType":%q,"manifests":[{"mediaType":%q,"digest":%q,"size":%4d}]}`
		size := len(fmt.Sprintf(form, v1.MediaTypeImageIndex, v1.MediaTypeImageIndex, d, 0))
		body := fmt.Appendf(nil, form, v1.MediaTypeImageIndex, v1.MediaTypeImageIndex, d, size)
		w.Header().Set("Docker-Content-Digest", d.String())
		Replace(v1.MediaTypeImageIndex, body)(w, r, next)
	}
}

// HugeManifest answers with a valid manifest of size bytes, made while it is sent. If declared is false the answer has
// no Content-Length, so that a client can only find out by reading.
func HugeManifest(size int64, declared bool) Fault {
	const head = `{"schemaVersion":2,"mediaType":"` + v1.MediaTypeImageManifest + `","config":{"mediaType":"` +
		v1.MediaTypeImageConfig +
		`","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[],"annotations":{"padding":"`
	const tail = `"}}`
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", v1.MediaTypeImageManifest)
		if declared {
			w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
		}
		w.WriteHeader(http.StatusOK)
		if r.Method == http.MethodHead {
			return
		}
		body := io.MultiReader(strings.NewReader(head), io.LimitReader(letters{}, size-int64(len(head)+len(tail))),
			strings.NewReader(tail))
		_, _ = io.Copy(w, body) // the client is expected to go away
	}
}

// letters is an endless reader of the letter x.
type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// alterHeader is a fault that changes the header just before it is sent.
func alterHeader(change func(h http.Header)) Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		next.ServeHTTP(&headerWriter{ResponseWriter: w, change: change}, r)
	}
}

type headerWriter struct {
	http.ResponseWriter
	change func(h http.Header)
	sent   bool
}

// Unwrap lets http.ResponseController reach the connection.
func (h *headerWriter) Unwrap() http.ResponseWriter { return h.ResponseWriter }

func (h *headerWriter) WriteHeader(status int) {
	if !h.sent {
		h.sent = true
		h.change(h.Header())
	}
	h.ResponseWriter.WriteHeader(status)
}

func (h *headerWriter) Write(p []byte) (int, error) {
	if !h.sent {
		h.WriteHeader(http.StatusOK)
	}
	return h.ResponseWriter.Write(p)
}

func apiError(w http.ResponseWriter, status int, code, message string) {
	body, err := json.Marshal(map[string]any{"errors": []map[string]string{{"code": code, "message": message}}})
	if err != nil {
		http.Error(w, message, status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that went away needs no answer
}
