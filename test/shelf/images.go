package shelf

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample"
)

// Tarred is an image as `docker save` since version 25 writes it, or skopeo: an OCI image layout in a tar.
func Tarred(t *testing.T, name string, b sample.Built) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	write := func(name string, body []byte) {
		t.Helper()
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(body))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
	}
	for m := range b.All() {
		for _, blob := range m.Blobs {
			write("blobs/sha256/"+blob.Descriptor.Digest.Encoded(), blob.Data)
		}
		write("blobs/sha256/"+m.Digest().Encoded(), m.Body)
	}
	d := b.Descriptor
	if name != "" {
		d.Annotations = map[string]string{"io.containerd.image.name": name}
	}
	index, err := json.Marshal(v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, Manifests: []v1.Descriptor{d}})
	if err != nil {
		t.Fatal(err)
	}
	write("index.json", index)
	write("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Plain is an image with one uncompressed layer of 3 MB, more than a form may have.
func Plain(t *testing.T) sample.Built {
	t.Helper()
	return Must(sample.Image{Platform: v1.Platform{OS: "linux", Architecture: "amd64"}, Steps: []sample.Step{
		{By: "COPY tool /", Layer: sample.NewLayer(sample.Uncompressed, sample.Data("tool", "tool", 3_000_000))},
	}}.Build())
}

func Must(b sample.Built, err error) sample.Built {
	if err != nil {
		panic(err)
	}
	return b
}

// Put sends a body as curl -T does.
func (s *Server) Put(path string, body io.Reader, header map[string]string) (status int, text string, h http.Header) {
	s.T.Helper()
	ctx, cancel := context.WithTimeout(s.T.Context(), Patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, s.URL+path, body)
	if err != nil {
		s.T.Fatal(err)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.T.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		s.T.Fatal(err)
	}
	return resp.StatusCode, string(raw), resp.Header
}

// Raw opens a connection and writes a request's head.
func (s *Server) Raw(head string) (net.Conn, *bufio.Reader) {
	s.T.Helper()
	conn, err := net.Dial("tcp", s.Host())
	if err != nil {
		s.T.Fatal(err)
	}
	s.T.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, strings.ReplaceAll(head, "\n", "\r\n")); err != nil {
		s.T.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

// HalfSent sends a part of an archive and waits until the server has it.
func (s *Server) HalfSent() net.Conn {
	s.T.Helper()
	raw := Tarred(s.T, "a:1", Plain(s.T))
	before := len(s.Staged())
	conn, _ := s.Raw(fmt.Sprintf("PUT /archives HTTP/1.1\nHost: %s\nContent-Length: %d\n\n", s.Host(), len(raw)))
	if _, err := conn.Write(raw[:len(raw)/2]); err != nil {
		s.T.Fatal(err)
	}
	Eventually(s.T, "a stage", func() bool { return len(s.Staged()) > before })
	return conn
}

// Platform is the image of an index for a platform that it must have.
func Platform(t *testing.T, b sample.Built, name string) sample.Built {
	t.Helper()
	m, ok := b.For(name)
	if !ok {
		t.Fatalf("the image has no %s", name)
	}
	return m
}

// Short is a digest as pages show it.
func Short(b sample.Blob) string { return image.ShortDigest(b.Descriptor.Digest) }
