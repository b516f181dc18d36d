// Package archives has the pages of archives: what is downloaded as one, and the form that takes one.
package archives

import (
	"github.com/stowage/stowage/views/text"
)

// UploadView is the form that takes an archive.
type UploadView struct {
	Address  string // of this page as the browser has it, for commands
	Name     string // that the form is filled in with
	MaxBytes int64  // of an archive; 0 where only the disk bounds it
	Free     int64  // bytes on the disk
}

// commands give the ways from a terminal, with what they are for.
func (v UploadView) commands() []uploadCommand {
	return []uploadCommand{
		{"upload.command_save", "docker save ubuntu:22.04 | curl -T - " + v.Address},
		{"upload.command_file", "curl -T images.tar " + v.Address + "/"},
		{"upload.command_name", "curl -T layout.tar '" + v.Address + "?name=team/app:1.2'"},
		{"upload.command_skopeo", "skopeo copy --all docker://debian:12 oci-archive:debian.tar:docker.io/library/debian:12"},
	}
}

type uploadCommand struct {
	meaning text.MessageID
	text    string
}

// most returns the most bytes that can be sent.
func (v UploadView) most() int64 {
	if v.MaxBytes > 0 {
		return min(v.MaxBytes, v.Free)
	}
	return v.Free
}
