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

// TestAStalledBodyIsAnswered408 has a client send half a form and then nothing, and handlers that make of it what they like.
func TestAStalledBodyIsAnswered408(t *testing.T) {
	for name, handler := range map[string]echo.HandlerFunc{
		"a form": func(c echo.Context) error {
			_, err := c.FormParams()
			return image.Errorf(image.Invalid, "the form cannot be read").Because(err)
		},
		"work that ends with the request": func(c echo.Context) error {
			_, _ = io.Copy(io.Discard, c.Request().Body)
			<-c.Request().Context().Done()
			return c.Request().Context().Err()
		},
		"words of the registry's": func(c echo.Context) error {
			_, err := io.ReadAll(c.Request().Body)
			return errors.Join(errors.New("read"), err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				e := echo.New()
				logger := slog.New(slog.NewTextHandler(&log, nil))
				e.HTTPErrorHandler = errorHandler(nil, logger)
				e.Use(requestLog(logger), bodyDeadline)
				e.POST("/*", handler)
				ours, theirs := net.Pipe()
				l := &oneConn{conn: make(chan net.Conn, 1), closed: make(chan struct{})}
				l.conn <- theirs
				server := &http.Server{Handler: e}
				done := make(chan error, 1)
				go func() { done <- server.Serve(l) }()
				fmt.Fprint(ours, "POST /pulls HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nref=postg")
				resp, err := http.ReadResponse(bufio.NewReader(ours), nil)
				if err != nil {
					t.Fatal(err)
				}
				said, _ := io.ReadAll(resp.Body)
				if resp.StatusCode != http.StatusRequestTimeout || !strings.Contains(string(said), "did not arrive in time") || !resp.Close {
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

// TestAFormThatCameInTimeMayTakeLongToAnswer has a handler that works for longer than a form may take to come.
func TestAFormThatCameInTimeMayTakeLongToAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := echo.New()
		e.Use(bodyDeadline)
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

// wantLogged has a handler fail after its client has gone.
func wantLogged(t *testing.T, err error, want string) {
	t.Helper()
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	e := echo.New()
	e.HTTPErrorHandler = errorHandler(nil, logger)
	e.Use(requestLog(logger))
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
