package saved

import (
	"archive/tar"
	"errors"
	"io"

	"github.com/docker/go-units"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/image/layer"
)

func tooLarge(limit int64) error {
	return image.Errorf(image.TooLarge, "the archive is larger than %s, which is the most that this server takes",
		units.HumanSize(float64(limit))).
		Suggest("Save fewer images at once, or raise --max-upload.")
}

// unpackError words a failure of the decompressor.
func unpackError(err error) error {
	switch {
	case errors.Is(err, layer.ErrTruncated):
		return cutOff(err)
	case errors.Is(err, layer.ErrTooLarge):
		return image.Errorf(image.TooLarge, "unpacking the archive would take more than %d MiB of memory", maxWindow>>20).
			Because(err).
			Suggest("Compress it again without --long.")
	case errors.Is(err, layer.ErrCorrupt), errors.Is(err, layer.ErrUnsupported):
		return sendAgain(image.Errorf(image.Corrupt, "the archive's compression is damaged").Because(err))
	}
	return err
}

func cutOff(err error) error {
	return sendAgain(image.Errorf(image.Corrupt, "the archive ends too early: a part of it is missing").Because(err))
}

// tarError words a failure of the tar reader after n entries; start are the first bytes.
func tarError(err error, n int, start []byte) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF) && n > 0:
		return cutOff(err)
	case errors.Is(err, tar.ErrFieldTooLong):
		return writeAnew(image.Errorf(image.TooLarge, "an entry of the archive has a header that is too long").Because(err))
	case n == 0:
		return notATar(start, err)
	case errors.Is(err, tar.ErrHeader):
		return sendAgain(image.Errorf(image.Corrupt, "the archive is damaged after its entry %d", n).Because(err))
	}
	return err
}

// What to do about an archive that is refused.

func writeAnew(e *image.Error) error {
	return e.Suggest("Write the archive anew with docker save, podman save or skopeo copy.")
}

func damagedArchive(e *image.Error) error { return e.Suggest("The archive is damaged: write it anew.") }

func cutArchive(e *image.Error) error {
	return e.Suggest("The archive is cut off or damaged: write it anew.")
}

func sendAgain(e *image.Error) error { return e.Suggest("Send it again, or write it anew.") }
