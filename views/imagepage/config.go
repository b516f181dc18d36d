package imagepage

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// configPlatform returns the platform as the config has it, which is what docker inspect shows: not normalised.
func configPlatform(c *image.Config) string {
	s := c.OS + "/" + c.Architecture
	if c.Variant != "" {
		s += "/" + c.Variant
	}
	if c.OSVersion != "" {
		s += " (" + c.OSVersion + ")"
	}
	return s
}

func sortedKeys(set map[string]struct{}) []string { return slices.Sorted(maps.Keys(set)) }

// envPairs divides NAME=value. Their order counts, so it is kept.
func envPairs(env []string) []pair {
	all := make([]pair, len(env))
	for i, e := range env {
		all[i].name, all[i].value, _ = strings.Cut(e, "=")
	}
	return all
}

func labelPairs(labels map[string]string) []pair {
	all := make([]pair, 0, len(labels))
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		all = append(all, pair{name, labels[name]})
	}
	return all
}

// webAddress returns s when it is the address of a web page and nothing else, and so may become a link.
func webAddress(s string) string {
	const longest = 2000
	if len(s) > longest || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil {
		return ""
	}
	return s
}

// healthTest words a health check's command (docker's HEALTHCHECK).
func healthTest(ctx context.Context, h *image.Healthcheck) string {
	if len(h.Test) == 0 {
		return text.T(ctx, "config.health_inherited")
	}
	switch rest := h.Test[1:]; h.Test[0] {
	case "NONE":
		return text.T(ctx, "config.health_none")
	case "CMD":
		return ui.ShellWords(rest)
	case "CMD-SHELL":
		return strings.Join(rest, " ")
	}
	return ui.ShellWords(h.Test)
}

// healthTimes words what a health check sets besides its command; docker's defaults are not repeated.
func healthTimes(ctx context.Context, h *image.Healthcheck) string {
	var parts []string
	add := func(id text.MessageID, d time.Duration) {
		if d != 0 {
			parts = append(parts, text.T(ctx, id, "Time", exactDuration(ctx, d)))
		}
	}
	add("config.health_interval", h.Interval)
	add("config.health_timeout", h.Timeout)
	add("config.health_start_period", h.StartPeriod)
	add("config.health_start_interval", h.StartInterval)
	if h.Retries != 0 {
		parts = append(parts, text.T(ctx, "config.health_retries", text.Count, h.Retries))
	}
	return strings.Join(parts, " · ")
}

// exactDuration words whole seconds as people do and anything finer as Go does.
func exactDuration(ctx context.Context, d time.Duration) string {
	if d > 0 && d%time.Second == 0 && (d < 10*time.Minute || d%time.Minute == 0) {
		return text.HumanDuration(ctx, d)
	}
	return d.String()
}
