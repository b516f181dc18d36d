package pulls

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/views/pulls"
)

const (
	eventsEvery    = 250 * time.Millisecond // between two states of one stream, at least
	keepAliveEvery = 15 * time.Second       // between two messages, at most; proxies drop what is silent
	eventTimeout   = time.Minute            // for the browser to take one message
	reconnectAfter = "retry: 2000\n"        // milliseconds until the browser connects again to a stream that broke
)

// Events answers GET /pulls/:id/events: a stream of server-sent events (WHATWG HTML, 9.2). Each message
// is the whole state of the pull's page, the first one at once, so that a browser that was away misses
// nothing; only the list of a pull of all tags comes whole at first and then by what changed in it. After the final
// state comes an event of the name views.PullEndEvent and the stream ends.
func (h *Handlers) Events(c echo.Context) error {
	asked, j, err := h.asked(c)
	if err != nil {
		return err
	}
	states, cancel := h.Jobs.Subscribe(asked.ID)
	defer cancel()
	s := newEventStream(c, asked.Lines)
	defer s.end()
	// From here on the answer has begun: what goes wrong is that nobody listens any more.
	if err := h.sendState(c, s, j); err != nil || j.State.Final() {
		return nil //nolint:nilerr // the browser went away, or has all
	}
	h.follow(c, s, j, states)
	return nil
}

// follow sends states until the pull is over, the browser has gone or the server stops.
func (h *Handlers) follow(c echo.Context, s *eventStream, j job.Job, states <-chan job.Job) {
	ctx := c.Request().Context()
	alive := time.NewTicker(keepAliveEvery)
	defer alive.Stop()
	pause := time.NewTimer(eventsEvery)
	defer pause.Stop()
	paused, sent := true, j.State // a state was just sent
	var waiting *job.Job          // what came during the pause, the newest only
	send := func(j job.Job) (more bool) {
		waiting, sent, paused = nil, j.State, true
		alive.Reset(keepAliveEvery)
		pause.Reset(eventsEvery)
		return h.sendState(c, s, j) == nil && !j.State.Final()
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.Closing:
			return
		case <-pause.C:
			if paused = false; waiting != nil && !send(*waiting) {
				return
			}
		case <-alive.C:
			if s.comment("alive") != nil {
				return
			}
		case next, live := <-states:
			switch {
			case !live:
				h.sendRecord(c, s, j.ID)
				return
			case paused && next.State == sent: // bytes can wait, a change of the state cannot
				waiting = &next
			case !send(next):
				return
			}
		}
	}
}

// sendRecord sends how a pull that is no longer live ended. One that the closing of the queue interrupted
// has not: its stream just breaks off, and the browser comes back when the server does.
func (h *Handlers) sendRecord(c echo.Context, s *eventStream, id int64) {
	j, err := h.Records.Job(c.Request().Context(), id)
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			h.Log.Warn("read the record for a stream", "job", id, "error", err)
		}
		return
	}
	if j.State.Final() {
		_ = h.sendState(c, s, j) // the stream ends either way
	}
}

// sendState sends one state, and the end after a final one.
func (h *Handlers) sendState(c echo.Context, s *eventStream, j job.Job) error {
	var page bytes.Buffer
	view, err := h.pullView(c.Request().Context(), j, s.page)
	if err != nil {
		return err
	}
	if j.Kind() == job.PullAll {
		view.Changed = view.Tags.Since(s.tags)
		s.tags = view.Tags
	}
	if err := pulls.PullEvent(view).Render(c.Request().Context(), &page); err != nil {
		return fmt.Errorf("render a pull's state: %w", err)
	}
	if err := s.message("", page.String()); err != nil || !j.State.Final() {
		return err
	}
	return s.message(pulls.PullEndEvent, string(j.State))
}

// eventStream writes server-sent events.
type eventStream struct {
	response *echo.Response
	control  *http.ResponseController

	page int             // of the tags of a pull of all tags
	tags pulls.TagWindow // those that the browser has
}

// newEventStream begins the answer.
func newEventStream(c echo.Context, page int) *eventStream {
	header := c.Response().Header()
	header.Set(echo.HeaderContentType, "text/event-stream")
	header.Set(echo.HeaderCacheControl, "no-store")
	header.Set("X-Accel-Buffering", "no") // nginx would collect the messages
	c.Response().WriteHeader(http.StatusOK)
	return &eventStream{response: c.Response(), control: http.NewResponseController(c.Response().Writer), page: page}
}

// message sends one event; one without a name is what the page shows.
func (s *eventStream) message(name, data string) error {
	var b strings.Builder
	b.Grow(len(data) + 64)
	if name != "" {
		b.WriteString("event: " + name + "\n")
	}
	b.WriteString(reconnectAfter)
	// A carriage return would end a line too, and what follows it could then be read as a field.
	for line := range strings.SplitSeq(strings.ReplaceAll(data, "\r", "&#13;"), "\n") {
		b.WriteString("data: ")
		b.WriteString(line)
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	return s.send(b.String())
}

// comment sends what browsers ignore.
func (s *eventStream) comment(text string) error { return s.send(": " + text + "\n\n") }

// send writes and flushes. The stream itself may last for ever; a browser that takes nothing may not.
func (s *eventStream) send(text string) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(eventTimeout)); err != nil &&
		!errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("set the deadline of an event: %w", err)
	}
	if _, err := s.response.Write([]byte(text)); err != nil {
		return fmt.Errorf("write an event: %w", err)
	}
	if err := s.control.Flush(); err != nil {
		return fmt.Errorf("flush an event: %w", err)
	}
	return nil
}

// end takes the deadline off the connection, which may serve other requests.
func (s *eventStream) end() { _ = s.control.SetWriteDeadline(time.Time{}) }
