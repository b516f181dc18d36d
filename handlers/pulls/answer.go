package pulls

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/views/pulls"
)

// retryPull is after how many seconds a script may ask again for a pull that is not over.
const retryPull = "1"

// pullOutcome is what a script is told of a pull as JSON.
type pullOutcome struct {
	ID        int64        `json:"id"`
	Reference string       `json:"reference,omitzero"`
	State     string       `json:"state"` // queued, resolving, pulling, unpacking, done, failed or cancelled
	Digest    image.Digest `json:"digest,omitzero"`
	Newer     bool         `json:"newer"`
	Lines     []string     `json:"lines"`            // docker's
	Broken    []string     `json:"broken,omitempty"` // what is wrong with what it brought
	Error     string       `json:"error,omitzero"`
	Kind      image.Kind   `json:"kind,omitzero"` // of the error
	Advice    string       `json:"advice,omitzero"`
}

// answer answers a script about a pull, as JSON or as text: docker's lines, then the state. The status says how it
// went: 202 until it is over and what it brought is proved, 200 where that is well, and else that of the failure.
func answer(c echo.Context, v pulls.PullView, asJSON bool) error {
	o := pullOutcome{ID: v.Job.ID, State: v.State(), Digest: pull.DigestOf(v.Job), Newer: v.Job.Outcome.Newer,
		Lines: v.Job.Outcome.Lines}
	if v.Job.Kind() != job.Upload {
		o.Reference = v.Job.Reference().String()
	}
	if o.Lines == nil {
		o.Lines = []string{}
	}
	status := http.StatusOK
	if p := v.Job.Problem; p != nil {
		status, o.Error, o.Kind, o.Advice = page.Status(p.Kind), p.Message.String(), p.Kind, p.Suggestion.String()
	}
	for _, b := range v.Check.Broken {
		o.Broken = append(o.Broken, strings.TrimSpace(b.Platform+" "+b.Reason.String()))
		status, o.State = page.Status(image.Corrupt), string(job.Failed)
	}
	header := c.Response().Header()
	if !v.Job.State.Final() || o.State == pulls.Unpacking {
		status = http.StatusAccepted
		header.Set(echo.HeaderRetryAfter, retryPull)
	}
	page.BareAnswer(c)
	if asJSON {
		return c.JSON(status, o)
	}
	text := strings.Join(o.Lines, "\n")
	if text != "" {
		text += "\n"
	}
	if o.Error != "" {
		text += strings.TrimSpace("Error: "+o.Error+". "+o.Advice) + "\n"
	}
	return c.String(status, text+o.State+"\n")
}
