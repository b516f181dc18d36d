package distribution

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// The specification's error codes, as far as reading needs them (distribution-spec, "Error Codes").
const (
	blobUnknown     = "BLOB_UNKNOWN"
	digestInvalid   = "DIGEST_INVALID"
	manifestUnknown = "MANIFEST_UNKNOWN"
	nameInvalid     = "NAME_INVALID"
	nameUnknown     = "NAME_UNKNOWN"
	unsupported     = "UNSUPPORTED"
	unknown         = "UNKNOWN" // not the specification's, but docker's for what is the server's own fault
)

// wireError is an answer other than what was asked for. Messages are for people who read them in a terminal, so they
// are English.
type wireError struct {
	status int
	lost   bool // the shelf should have it
	retry  int  // seconds after which asking again makes sense; 0 where nobody knows

	Code    string `json:"code"`
	Message string `json:"message"`
	Detail  any    `json:"detail,omitempty"`
}

func refuse(status int, code, format string, args ...any) *wireError {
	return &wireError{status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

// with returns e with what a program may want to know.
func (e *wireError) with(detail any) *wireError {
	e.Detail = detail
	return e
}

// Error implements error.
func (e *wireError) Error() string { return e.Code + ": " + e.Message }

// write answers the error. What an earlier step said of the content is taken back.
func (e *wireError) write(w http.ResponseWriter) {
	body, err := json.Marshal(struct {
		Errors []*wireError `json:"errors"`
	}{[]*wireError{e}})
	if err != nil { // of a detail
		body = []byte(`{"errors":[{"code":"` + e.Code + `"}]}`)
	}
	h := w.Header()
	for _, name := range []string{"ETag", "Docker-Content-Digest"} {
		h.Del(name)
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if e.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(e.retry))
	}
	h.Set("Cache-Control", "no-store") // what is missing now can be there in a moment
	w.WriteHeader(e.status)
	_, _ = w.Write(body) // nobody is left to be told
}
