package saved

import (
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/image/layer"
)

// notATar returns what something is instead of a tar, as far as its first bytes tell.
func notATar(start []byte, cause error) error { return wrongFile(string(start)).Because(cause) }

func wrongFile(start string) *image.Error {
	switch {
	case begins(start, "PK\x03\x04", "PK\x05\x06", "PK\x07\x08"):
		return unpackFirst(image.Errorf(image.Invalid, "this is a zip file, not a tar archive"))
	case begins(start, "7z\xbc\xaf\x27\x1c"):
		return unpackFirst(image.Errorf(image.Invalid, "this is a 7z file, not a tar archive"))
	case begins(start, "Rar!\x1a\x07"):
		return unpackFirst(image.Errorf(image.Invalid, "this is a RAR file, not a tar archive"))
	case begins(start, "\xff\xfe", "\xfe\xff") || wide(start):
		return writeOut(image.Errorf(image.Invalid,
			"this is text in UTF-16, as PowerShell writes it with >, not a tar archive"))
	case begins(start, "\xef\xbb\xbf"):
		return writeOut(image.Errorf(image.Invalid,
			"this is text in UTF-8 with a byte order mark, as PowerShell writes it, not a tar archive"))
	case begins(start, "{", "["):
		return sendSaved(image.Errorf(image.Invalid, "this is a JSON document, not a tar archive"))
	case begins(start, "<"):
		return sendSaved(image.Errorf(image.Invalid, "this is a web page, not a tar archive"))
	}
	if kind := layer.Detect([]byte(start)); kind != layer.Uncompressed {
		return image.Errorf(image.Invalid, "the archive is compressed twice: within is %s", string(kind)).
			Suggest("Unpack it once, and send what comes out.")
	}
	return sendSaved(image.Errorf(image.Invalid, "this is not a tar archive"))
}

func begins(s string, magics ...string) bool {
	for _, magic := range magics {
		if strings.HasPrefix(s, magic) {
			return true
		}
	}
	return false
}

// wide reports whether a text has two bytes for each letter.
func wide(s string) bool {
	if len(s) < startSize {
		return false
	}
	for i := 0; i < 6; i += 2 {
		if s[i] < ' ' || s[i] > '~' || s[i+1] != 0 {
			return false
		}
	}
	return true
}

// What to do about them.
func unpackFirst(e *image.Error) *image.Error {
	return e.Suggest("Unpack it and send the tar archive that is in it. What is in a folder is packed by tar -C FOLDER -cf FILE .")
}

func writeOut(e *image.Error) *image.Error {
	return e.Suggest("The bytes of the archive are lost in it: write it anew with docker save -o FILE.")
}

func sendSaved(e *image.Error) *image.Error {
	return e.Suggest("Send the archive that docker save, podman save or skopeo copy has written.")
}
