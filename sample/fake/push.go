package fake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/stowage/stowage/sample"
)

// Destination is a registry to push to; see [URL] and [Handler].
type Destination struct {
	base   string
	client *http.Client
}

// URL is the registry at a base address such as "http://127.0.0.1:5000".
func URL(base string) Destination {
	return Destination{base: strings.TrimSuffix(base, "/"), client: &http.Client{}}
}

// Handler is the registry that h serves, spoken to without a network.
func Handler(h http.Handler) Destination {
	return Destination{base: "http://registry.invalid", client: &http.Client{Transport: handlerTransport{h}}}
}

// Push uploads what source builds to a repository, first everything that it refers to, and makes the tags point at it.
// Without tags it can be pulled by its digest only. Blobs that the repository has already are not sent again.
// Each blob is sent in one PUT after the POST that opens the upload, which every registry accepts.
func Push(ctx context.Context, to Destination, repository string, source sample.Source,
	tags ...string) (sample.Built, error) {
	if err := ctx.Err(); err != nil {
		return sample.Built{}, fmt.Errorf("push to %s: %w", repository, err) // building would be for nothing
	}
	b, err := source.Build()
	if err != nil {
		return sample.Built{}, fmt.Errorf("push to %s: %w", repository, err)
	}
	sent := map[digest.Digest]bool{}
	for m := range b.All() {
		for _, blob := range m.Blobs {
			if sent[blob.Descriptor.Digest] {
				continue
			}
			sent[blob.Descriptor.Digest] = true
			if err := to.blob(ctx, repository, blob); err != nil {
				return sample.Built{}, fmt.Errorf("push blob %s to %s: %w", blob.Descriptor.Digest, repository, err)
			}
		}
		if err := to.manifest(ctx, repository, m.Digest().String(), m); err != nil {
			return sample.Built{}, fmt.Errorf("push manifest %s to %s: %w", m.Digest(), repository, err)
		}
	}
	for _, t := range tags {
		if err := to.manifest(ctx, repository, t, b); err != nil {
			return sample.Built{}, fmt.Errorf("push tag %s to %s: %w", t, repository, err)
		}
	}
	return b, nil
}

func (d Destination) blob(ctx context.Context, repository string, b sample.Blob) error {
	path := "/v2/" + repository + "/blobs/"
	head, err := d.send(ctx, http.MethodHead, path+b.Descriptor.Digest.String(), "", nil, http.StatusOK,
		http.StatusNotFound)
	if err != nil || head.status == http.StatusOK {
		return err
	}
	upload, err := d.send(ctx, http.MethodPost, path+"uploads/", "", nil, http.StatusAccepted)
	if err != nil {
		return err
	}
	// The location may be relative, and may hold a query that has to be kept.
	loc, err := upload.url.Parse(upload.location)
	if err != nil {
		return fmt.Errorf("parse upload location: %w", err)
	}
	q := loc.Query()
	q.Set("digest", b.Descriptor.Digest.String())
	loc.RawQuery = q.Encode()
	_, err = d.send(ctx, http.MethodPut, loc.String(), "application/octet-stream", b.Data, http.StatusCreated)
	return err
}

func (d Destination) manifest(ctx context.Context, repository, reference string, m sample.Built) error {
	_, err := d.send(ctx, http.MethodPut, "/v2/"+repository+"/manifests/"+url.PathEscape(reference),
		m.Descriptor.MediaType, m.Body, http.StatusCreated)
	return err
}

// reply is what a push needs to know of an answer.
type reply struct {
	status   int
	location string
	url      *url.URL // of the request that was answered, after redirects
}

// send makes one request and reads the answer to its end; another status than the wanted ones is an error.
func (d Destination) send(ctx context.Context, method, address, mediaType string, body []byte,
	want ...int) (reply, error) {
	if strings.HasPrefix(address, "/") {
		address = d.base + address
	}
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return reply{}, fmt.Errorf("make request: %w", err)
	}
	if mediaType != "" {
		req.Header.Set("Content-Type", mediaType)
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return reply{}, err // *url.Error names the method and the address already
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return reply{}, fmt.Errorf("read answer to %s %s: %w", method, req.URL.Path, err)
	}
	if slices.Contains(want, resp.StatusCode) {
		return reply{status: resp.StatusCode, location: resp.Header.Get("Location"), url: resp.Request.URL}, nil
	}
	return reply{}, fmt.Errorf("%s %s: %s: %.300s", method, req.URL.Path, resp.Status, answer)
}
