package blob

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
)

// WriteIndex replaces index.json by one that lists the descriptors, in their order (image-spec,
// image-layout.md; a tag is the annotation org.opencontainers.image.ref.name). They are written as they
// come and never held together. With any error, of the descriptors too, the old index.json stays. A
// descriptor that would make the file invalid is refused (Invalid). Calls wait for each other.
func (s *Store) WriteIndex(ctx context.Context, descriptors iter.Seq2[image.Descriptor, error]) error {
	s.index.Lock()
	defer s.index.Unlock()
	err := s.Folder.replaceFile(ocispec.ImageIndexFile, func(w io.Writer) error {
		if _, err := fmt.Fprintf(w, "{\"schemaVersion\":2,\"mediaType\":%q,\"manifests\":[\n",
			ocispec.MediaTypeImageIndex); err != nil {
			return err
		}
		encoder := json.NewEncoder(w) // ends every value with a line feed
		comma := false
		for d, err := range descriptors {
			if err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := checkDescriptor(d); err != nil {
				return err
			}
			if comma {
				if _, err := io.WriteString(w, ","); err != nil {
					return err
				}
			}
			comma = true
			if err := encoder.Encode(d); err != nil {
				return err
			}
		}
		_, err := io.WriteString(w, "]}\n")
		return err
	})
	if err == nil {
		return nil
	}
	var known *image.Error
	if errors.As(err, &known) || ctx.Err() != nil {
		return fmt.Errorf("write index.json: %w", err)
	}
	return failure("write index.json", err)
}

// checkDescriptor refuses what image-spec's descriptor.md does not allow.
func checkDescriptor(d image.Descriptor) error {
	if _, err := image.ParseDigest(string(d.Digest)); err != nil {
		return err
	}
	if d.Size < 0 || d.MediaType == "" {
		return image.Errorf(image.Invalid, "descriptor of %s has no media type or a negative size", d.Digest)
	}
	return nil
}
