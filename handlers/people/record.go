package people

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/auth"
	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/people"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// linesOnPage is how many lines of the record one page has.
const linesOnPage = 100

// Record answers GET /admin/record.
func (h *Handlers) Record(c echo.Context) error {
	ctx := c.Request().Context()
	asked, err := address.ParseRecord(c.QueryParams())
	if err != nil {
		return err
	}
	q := asked.Query()
	q.Limit = linesOnPage + 1
	v := people.RecordView{Asked: asked, Actions: auth.Recorded()}
	if v.Lines, err = h.Options.Record.Lines(ctx, q); err != nil {
		return err
	}
	if v.Older = len(v.Lines) > linesOnPage; v.Older {
		v.Lines = v.Lines[:linesOnPage]
	}
	return page.Render(c, http.StatusOK, people.RecordPage(h.Site.Chrome(c, text.T(ctx, "record.title"), ui.NavAdmin), v))
}

// Export answers GET /admin/record/export: the lines that the address chooses, as JSON lines, newest first.
func (h *Handlers) Export(c echo.Context) error {
	ctx := c.Request().Context()
	asked, err := address.ParseRecord(c.QueryParams())
	if err != nil {
		return err
	}
	err = h.Options.Record.Note(ctx, shelf.Line{
		By: shelf.PartyOf(who(c).Actor), Action: image.ActionRecordExport, Detail: asked.String(),
	})
	if err != nil {
		return err
	}
	page.BareAnswer(c)
	header := c.Response().Header()
	header.Set(echo.HeaderContentType, "application/x-ndjson")
	header.Set(echo.HeaderContentDisposition, `attachment; filename="stowage-record.jsonl"`)
	if c.Request().Method == http.MethodHead {
		return c.NoContent(http.StatusOK)
	}
	out := json.NewEncoder(c.Response())
	for l, err := range h.Options.Record.Export(ctx, asked.Query()) {
		if err != nil {
			return err
		}
		if err := out.Encode(exportOf(l)); err != nil {
			return err // nobody is left to be told
		}
	}
	return nil
}

// exported is a line of the record as the export has it.
type exported struct {
	ID         int64        `json:"id"`
	At         time.Time    `json:"at"`
	Since      time.Time    `json:"since"`
	Times      int          `json:"times"`
	ActorKind  string       `json:"actor_kind"`
	Actor      string       `json:"actor"`
	Via        string       `json:"via,omitempty"`
	Credential string       `json:"credential,omitempty"`
	Address    string       `json:"address,omitempty"`
	Request    string       `json:"request,omitempty"`
	Action     image.Action `json:"action"`
	Repository string       `json:"repository,omitempty"`
	Tag        string       `json:"tag,omitempty"`
	Digest     string       `json:"digest,omitempty"`
	AboutKind  string       `json:"about_kind,omitempty"`
	About      string       `json:"about,omitempty"`
	Outcome    shelf.Ending `json:"outcome"`
	Detail     string       `json:"detail,omitempty"`
}

func exportOf(l shelf.Line) exported {
	return exported{
		ID: l.ID, At: l.At, Since: l.Since, Times: l.Times, ActorKind: string(l.By.Kind), Actor: l.By.String(),
		Via: l.From.Via, Credential: l.From.Credential, Address: l.From.Address, Request: l.From.Request, Action: l.Action,
		Repository: string(l.What.Repository), Tag: l.What.Tag, Digest: string(l.What.Digest),
		AboutKind: string(l.About.Kind), About: l.About.String(), Outcome: l.Outcome, Detail: l.Detail,
	}
}
