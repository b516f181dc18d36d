package web

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stowage/stowage/image"
)

// oneConn is a listener of one connection.
type oneConn struct {
	conn   chan net.Conn
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l *oneConn) Close() error   { close(l.closed); return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// TestAStalledBodyIsAnswered408 has a client send half a form and then nothing, and handlers that make of it what they
// like.
func TestAStalledBodyIsAnswered408(t *testing.T) {
	const form, bytesAlone = "application/x-www-form-urlencoded", "application/octet-stream"
	for name, tt := range map[string]struct {
		sent    string
		handler echo.HandlerFunc
	}{
		"a form": {form, func(c echo.Context) error {
			_, err := c.FormParams()
			return image.Errorf(image.Invalid, "the form cannot be read").Because(err)
		}},
		"a form of which fields may be left out": {form, func(c echo.Context) error {
			return c.String(http.StatusOK, "done with "+c.FormValue("platform"))
		}},
		"work that ends with the request": {bytesAlone, func(c echo.Context) error {
			_, _ = io.Copy(io.Discard, c.Request().Body)
			<-c.Request().Context().Done()
			return c.Request().Context().Err()
		}},
		"words of the registry's": {bytesAlone, func(c echo.Context) error {
			_, err := io.ReadAll(c.Request().Body)
			return errors.Join(errors.New("read"), err)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				e := echo.New()
				logger := slog.New(slog.NewTextHandler(&log, nil))
				e.HTTPErrorHandler = errorHandler(nil, logger)
				e.Use(newDoor(nil, who{}, logger, prometheus.NewRegistry()).open, bodyDeadline, wholeForm)
				e.POST("/*", tt.handler)
				ours, theirs := net.Pipe()
				l := &oneConn{conn: make(chan net.Conn, 1), closed: make(chan struct{})}
				l.conn <- theirs
				server := &http.Server{Handler: e}
				done := make(chan error, 1)
				go func() { done <- server.Serve(l) }()
				fmt.Fprintf(ours, "POST /pulls HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain\r\nContent-Type: %s\r\nContent-Length: 100\r\n\r\nref=postg", tt.sent)
				resp, err := http.ReadResponse(bufio.NewReader(ours), nil)
				if err != nil {
					t.Fatal(err)
				}
				said, _ := io.ReadAll(resp.Body)
				if resp.StatusCode != http.StatusRequestTimeout || !strings.Contains(string(said), "did not arrive in time") ||
					!resp.Close {
					t.Errorf("%d %v %s", resp.StatusCode, resp.Header, said)
				}
				ours.Close()
				server.Close()
				<-done
				synctest.Wait()
				if !strings.Contains(log.String(), "status=408") {
					t.Errorf("log: %s", log.String())
				}
			})
		})
	}
}

// TestHalfAFormIsNotDone has a client leave in the middle of a form. What it had not sent yet may be what narrows it.
func TestHalfAFormIsNotDone(t *testing.T) {
	e := echo.New()
	e.HTTPErrorHandler = errorHandler(nil, slog.New(slog.DiscardHandler))
	e.Use(bodyDeadline, wholeForm)
	e.POST("/*", func(c echo.Context) error { return c.String(http.StatusOK, "deleted "+c.FormValue("platform")) })
	server := httptest.NewServer(e)
	defer server.Close()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST /delete HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nback=%2F&plat")
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if said, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("%d %s", resp.StatusCode, said)
	}
}

// TestAFormThatCameInTimeMayTakeLongToAnswer has a handler that works for longer than a form may take to come.
func TestAFormThatCameInTimeMayTakeLongToAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := echo.New()
		e.Use(bodyDeadline, wholeForm)
		e.POST("/*", func(c echo.Context) error {
			if _, err := c.FormParams(); err != nil {
				return err
			}
			select {
			case <-c.Request().Context().Done():
				return c.Request().Context().Err()
			case <-time.After(4 * bodyTime):
				return c.String(http.StatusOK, "done")
			}
		})
		ours, theirs := net.Pipe()
		l := &oneConn{conn: make(chan net.Conn, 1), closed: make(chan struct{})}
		l.conn <- theirs
		server := &http.Server{Handler: e}
		done := make(chan error, 1)
		go func() { done <- server.Serve(l) }()
		fmt.Fprint(ours, "POST /pulls HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 5\r\n\r\nref=x")
		resp, err := http.ReadResponse(bufio.NewReader(ours), nil)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("%+v, %v", resp, err)
		}
		ours.Close()
		server.Close()
		<-done
	})
}

func TestAFailedRequestIsNeverASuccess(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"a client that is gone": {errCancelled, "status=499"},
		"an error in words":     {image.Errorf(image.Conflict, "held by somebody"), "status=409"},
		"an error of ours":      {errors.New("something"), "status=500"},
	} {
		t.Run(name, func(t *testing.T) { wantLogged(t, tt.err, tt.want) })
	}
}

var errCancelled = fmt.Errorf("read the rows: %w", context.Canceled)

// TestAProgramIsToldAnErrorInItsOwnFormat asks for JSON and for text.
func TestAProgramIsToldAnErrorInItsOwnFormat(t *testing.T) {
	e := echo.New()
	e.HTTPErrorHandler = errorHandler(nil, slog.New(slog.DiscardHandler))
	e.GET("/missing", func(echo.Context) error { return image.Errorf(image.NotFound, "there is no x").Suggest("Take y.") })
	e.GET("/internal", func(echo.Context) error { return errors.New("/secret/path") })
	for _, c := range []struct{ path, accept, want string }{
		{"/missing", "application/json", `{"error":"there is no x","kind":"not_found","advice":"Take y."}`},
		{"/missing", "text/plain", "there is no x. Take y."},
		{"/internal", "application/json", `{"error":"internal server error","kind":"internal"}`},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, c.path, nil)
		r.Header.Set("Accept", c.accept)
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if got := strings.TrimSpace(w.Body.String()); got != c.want || w.Code == http.StatusOK {
			t.Errorf("%s as %s: %d %s, want %s", c.path, c.accept, w.Code, got, c.want)
		}
	}
}

// wantLogged has a handler fail after its client has gone.
func wantLogged(t *testing.T, err error, want string) {
	t.Helper()
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	e := echo.New()
	e.HTTPErrorHandler = errorHandler(nil, logger)
	e.Use(newDoor(nil, who{}, logger, prometheus.NewRegistry()).open)
	e.GET("/*", func(echo.Context) error { return err })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/images", nil)
	r.Header.Set("Accept", "text/plain")
	e.ServeHTTP(httptest.NewRecorder(), r)
	if !strings.Contains(log.String(), want) {
		t.Errorf("log: %s", log.String())
	}
}
