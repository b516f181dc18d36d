package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/image"
)

func TestNotReadyGivesEachReasonAndWhatToDoAndNoInternals(t *testing.T) {
	damaged := image.Errorf(image.Damaged, "the database is damaged").Suggest("Restore a backup.")
	full := image.Errorf(image.DiskFull, "the disk is full")
	e := echo.New()
	e.GET("/readyz", ready(Options{Logger: slog.New(slog.DiscardHandler), Ready: func(context.Context) error {
		return errors.Join(damaged, errors.Join(full, errors.New("open /data/stowage.db: no")))
	}}))
	rec := httptest.NewRecorder()
	e.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	want := "not ready\nthe database is damaged\nRestore a backup.\nthe disk is full\ninternal error: the server's log says more\n"
	if rec.Code != http.StatusServiceUnavailable || rec.Body.String() != want {
		t.Errorf("%d %q", rec.Code, rec.Body)
	}
}
