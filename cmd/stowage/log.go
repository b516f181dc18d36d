package main

import (
	"io"
	"log/slog"
	"regexp"
	"strings"
)

func newLogger(w io.Writer, format, level string) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo // kong's enum lets no other word through
	}
	o := &slog.HandlerOptions{Level: l, ReplaceAttr: withoutPassword}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// beforeHost is what stands before an @: user:password before a host, or name:tag before a digest.
var beforeHost = regexp.MustCompile(`[^\s/"'=@]*:[^\s/"'@]+@(sha(256|512):)?`)

// withoutPassword takes user:password@ out of what is logged, whatever it stands in: people paste it into references
// and names, and errors repeat those.
func withoutPassword(_ []string, a slog.Attr) slog.Attr {
	if k := a.Value.Kind(); k != slog.KindString && k != slog.KindAny {
		return a
	}
	text := a.Value.String()
	if !strings.Contains(text, "@") {
		return a
	}
	masked := beforeHost.ReplaceAllStringFunc(text, func(found string) string {
		if strings.HasSuffix(found, "@") {
			return "...@"
		}
		return found
	})
	if masked == text {
		return a
	}
	return slog.String(a.Key, masked)
}
