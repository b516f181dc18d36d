package archives

import (
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"path"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/archive"
	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/archives"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// Fields of the upload form, and the parameter of an upload without one.
const (
	nameField    = "name"
	archiveField = "archive"
)

const (
	maxNameField = 4 << 10  // bytes of a name in a form
	maxFileName  = 255      // characters of a file's name that are kept
	retryUpload  = "30"     // seconds after which an upload that found no place may be tried again
	maxDrained   = 32 << 20 // bytes of a refused upload that are read, so that the sender gets the answer
)

// Uploads answers GET /archives: the form.
func (h *Handlers) Uploads(c echo.Context) error {
	left, err := h.Space.Left()
	if err != nil {
		return err
	}
	v := archives.UploadView{Address: h.Site.Origin(c) + address.ArchivesPath, Name: c.QueryParam(nameField),
		MaxBytes: h.Importer.MaxBytes(), Free: max(0, left)}
	return page.Render(c, http.StatusOK,
		archives.UploadPage(h.Site.Chrome(c, text.T(c.Request().Context(), "upload.title"), ui.NavImages), v))
}

// PutArchive answers PUT /archives and /archives/FILE, which is what curl -T sends: the archive is the body, and ?name=
// may say what its image is to be called. The answer is text: docker load's lines and the addresses of what was stored.
func (h *Handlers) PutArchive(c echo.Context) error {
	file, err := fileParam(c)
	if err != nil {
		return h.refuseUpload(c, nil, job.Job{}, err)
	}
	name := c.QueryParam(nameField)
	done, err := h.Importer.Begin(c.Request().ContentLength, name, h.Site.Requester(c))
	if err != nil {
		return h.refuseUpload(c, newSentBody(c), h.refusedUpload(c, file, err), err)
	}
	defer done()
	body := newSentBody(c)
	ctx, stop := h.whileServing(c.Request().Context())
	defer stop()
	j, err := h.Importer.Import(ctx, archive.Request{
		Body: body, File: file, Name: name, Size: c.Request().ContentLength, By: h.Site.Requester(c),
		Interrupt: body.interrupt,
	})
	if err != nil {
		return h.refuseUpload(c, body, j, err)
	}
	return h.answerUpload(c, j)
}

// whileServing returns a context that also ends when the server goes down: it does not wait for somebody who is
// sending.
func (h *Handlers) whileServing(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-h.Closing:
			cancel(image.Errorf(image.Unavailable, "the server is stopping").Suggest("Try again in a moment."))
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// fileParam reads the file's name that curl -T puts behind an address that ends with a slash.
func fileParam(c echo.Context) (string, error) {
	file := path.Base("/" + c.Param("*"))
	if file == "/" || file == "." {
		return "", nil
	}
	if strings.Contains(c.Param("*"), "/") {
		return "", image.Errorf(image.NotFound, "an archive is sent to %s or to %s and the name of a file",
			address.ArchivesPath, address.ArchivesPath+"/")
	}
	return page.CutText(file, maxFileName), nil
}

// PostArchive answers POST /archives: the form, with an archive and, before or behind it, a name.
func (h *Handlers) PostArchive(c echo.Context) error {
	body := newSentBody(c)
	done, err := h.Importer.Begin(c.Request().ContentLength, "", h.Site.Requester(c))
	if err != nil {
		return h.refuseUpload(c, body, h.refusedUpload(c, "", err), err)
	}
	defer done()
	c.Request().Body = body
	j, err := h.importForm(c, body)
	switch {
	case err != nil:
		return h.refuseUpload(c, body, j, err)
	case page.PlainText(c.Request()):
		return h.answerUpload(c, j)
	case page.Partial(c):
		return page.LeadOn(c, address.Pull{ID: j.ID}.String())
	}
	return page.Redirect(c, address.Pull{ID: j.ID}.String(), ui.Flash{})
}

// importForm takes the archive of a form in while it comes.
func (h *Handlers) importForm(c echo.Context, body *sentBody) (job.Job, error) {
	parts, err := c.Request().MultipartReader()
	if err != nil {
		return job.Job{}, image.Errorf(image.Invalid, "the form cannot be read").Because(err).
			Suggest("Send it as multipart/form-data, or the file alone: curl -T FILE and the address.")
	}
	form := uploadForm{parts: parts}
	part, err := form.next()
	if err != nil {
		return job.Job{}, err
	}
	if part == nil || part.FileName() == "" {
		return job.Job{}, image.Errorf(image.Invalid, "no archive was chosen").
			Suggest("Choose the file that docker save has written.")
	}
	ctx, stop := h.whileServing(c.Request().Context())
	defer stop()
	return h.Importer.Import(ctx, archive.Request{
		Body: formPart{part}, File: page.CutText(path.Base(part.FileName()), maxFileName), Name: form.name,
		Size: c.Request().ContentLength, By: h.Site.Requester(c), Interrupt: body.interrupt,
		After: func(string) (string, error) {
			more, err := form.next()
			if err == nil && more != nil {
				err = image.Errorf(image.Invalid, "the form holds several archives").Suggest("Send one archive at a time.")
			}
			if err == nil {
				err = body.end()
			}
			return form.name, err
		},
	})
}

// uploadForm reads the form's parts in the order in which they come.
type uploadForm struct {
	parts *multipart.Reader
	name  string
}

// next reads names up to the next archive, which it gives; nil at the end of the form.
func (f *uploadForm) next() (*multipart.Part, error) {
	for {
		part, err := f.parts.NextPart()
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err != nil {
			return nil, formError(err)
		}
		switch part.FormName() {
		case archiveField:
			return part, nil
		case nameField:
			text, err := io.ReadAll(io.LimitReader(part, maxNameField+1))
			if err != nil {
				return nil, formError(err)
			}
			if f.name = strings.TrimSpace(string(text)); len(f.name) > maxNameField {
				return nil, image.Errorf(image.Invalid, "the name is longer than %d characters", maxNameField)
			}
			if f.name != "" {
				if _, err := image.ParseRepositoryReference(f.name); err != nil {
					return nil, err
				}
			}
		default:
			return nil, image.Errorf(image.Invalid, "the form has a field %.40q, which is not known", part.FormName()).
				Suggest("The fields are %s and %s.", archiveField, nameField)
		}
	}
}

// formPart is the archive within a form.
type formPart struct{ part *multipart.Part }

func (p formPart) Read(b []byte) (int, error) {
	n, err := p.part.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		err = formError(err)
	}
	return n, err
}

// formError words what is wrong with a form; what the body itself has failed with says more.
func formError(err error) error {
	var known *image.Error
	if errors.As(err, &known) {
		return err
	}
	return brokeOff(err)
}

// answerUpload answers a sender at a terminal with what was stored, and where.
func (h *Handlers) answerUpload(c echo.Context, j job.Job) error {
	base := h.Site.Origin(c)
	var text strings.Builder
	for _, line := range j.Outcome.Lines {
		text.WriteString(line + "\n")
	}
	up, _ := j.Detail.(archive.Upload)
	for _, i := range up.Images {
		text.WriteString(base + address.Of(i.Reference).String() + "\n")
	}
	status := http.StatusOK
	if j.Outcome.Newer {
		status = http.StatusCreated
	}
	header := c.Response().Header()
	header.Set(echo.HeaderLocation, address.Pull{ID: j.ID}.String())
	header.Set(echo.HeaderCacheControl, "no-store")
	return c.String(status, text.String())
}

// refusedUpload makes the record of an upload that was refused before anything of it was read, so that it has a page
// like one that failed. One that only found no place has none: it is sent again.
func (h *Handlers) refusedUpload(c echo.Context, file string, why error) job.Job {
	if errors.Is(why, archive.ErrBusy) {
		return job.Job{}
	}
	up := archive.Request{File: file, Size: c.Request().ContentLength, By: h.Site.Requester(c)}
	return h.Importer.Refuse(context.WithoutCancel(c.Request().Context()), up, why)
}

// refuseUpload gives an error the status that it has here, where it is the sender's and no registry's, and sees to it
// that the sender gets the answer. A browser is led to the page of the job, which says what was wrong and can be
// linked; a sender at a terminal is told its address.
func (h *Handlers) refuseUpload(c echo.Context, body *sentBody, j job.Job, err error) error {
	if body != nil {
		body.giveUp(c)
	}
	if errors.Is(err, archive.ErrBusy) {
		c.Response().Header().Set(echo.HeaderRetryAfter, retryUpload)
	}
	var known *image.Error
	if !errors.As(err, &known) {
		return err
	}
	if j.ID == 0 || errors.Is(known, errSlow) { // who is led on has not failed
		return echo.NewHTTPError(uploadStatus(known)).SetInternal(known)
	}
	to := address.Pull{ID: j.ID}.String()
	switch {
	case page.PlainText(c.Request()):
		c.Response().Header().Set(echo.HeaderLocation, to)
		return page.PlainErrorWith(c, uploadStatus(known), known, h.Site.Origin(c)+to)
	case page.Partial(c):
		c.Response().Header().Set("HX-Redirect", to) // with the status of the error: static/app.js reads it all the same
		return echo.NewHTTPError(uploadStatus(known)).SetInternal(known)
	}
	return page.Redirect(c, to, ui.Flash{})
}

// uploadStatus maps an error of an upload to the HTTP status.
func uploadStatus(err *image.Error) int {
	switch {
	case errors.Is(err, archive.ErrBusy):
		return http.StatusServiceUnavailable
	case errors.Is(err, errSlow):
		return http.StatusRequestTimeout
	}
	switch err.Kind {
	case image.TooLarge:
		return http.StatusRequestEntityTooLarge
	case image.Corrupt:
		return http.StatusUnprocessableEntity
	case image.Unavailable:
		return http.StatusServiceUnavailable
	}
	return page.Status(err.Kind)
}
