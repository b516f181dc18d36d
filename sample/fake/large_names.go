package fake

import (
	"fmt"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
)

// tagDay is when the newest of the made-up tags was pushed.
var tagDay = time.Date(2026, 11, 20, 6, 0, 0, 0, time.UTC)

// ManyTags are n names of tags as a busy repository has them, the newest first: versions with and without suffixes,
// release candidates, nightly builds by date and commits.
func ManyTags(n int) []Dated {
	tags := make([]Dated, 0, n+16)
	add := func(names ...string) {
		for _, name := range names {
			tags = append(tags, Dated{name, tagDay.Add(-time.Duration(len(tags)) * 5 * time.Hour)})
		}
	}
	add("latest", "stable", "edge", "nightly")
	const inMajor = 16 * 46 // tags of a major version
	for major := 3 + n/inMajor; len(tags) < n; major-- {
		add(fmt.Sprint(major))
		for minor := 15; minor >= 0 && len(tags) < n; minor-- {
			v := fmt.Sprintf("%d.%d", major, minor)
			add(v, v+"-alpine")
			for patch := 6; patch >= 0; patch-- {
				p := fmt.Sprintf("%s.%d", v, patch)
				commit := digest.FromString(p).Encoded()[:7]
				day := tagDay.Add(-time.Duration(len(tags)) * 5 * time.Hour).Format("20060102")
				add(p, p+"-alpine", p+"-bookworm", p+"-rc.1", "nightly-"+day+"-"+commit, "sha-"+commit)
			}
		}
	}
	return tags[:n]
}

// ServerTags are tags as the official image of a database has them: for each minor version of a major one, the version
// alone and with each distribution that it was built on. Those of the newest minor version have just been built anew
// if the major one is maintained, others are as old as their release.
func ServerTags(major, minors int, maintained bool) []Dated {
	released := time.Date(2007+major, 9, 14, 20, 0, 0, 0, time.UTC)
	distributions := strings.Fields(
		"trixie bookworm bullseye buster slim-bookworm slim-bullseye alpine alpine3.18 alpine3.19 alpine3.20 alpine3.21 alpine3.22")
	var tags []Dated
	add := func(version string, at time.Time) {
		tags = append(tags, Dated{version, at})
		for i, d := range distributions {
			tags = append(tags, Dated{version + "-" + d, at.Add(time.Duration(i+1) * 3 * time.Minute)})
		}
	}
	for minor := range minors {
		at := released.AddDate(0, 3*minor, 0)
		newest := minor == minors-1
		if newest && maintained {
			at = tagDay.AddDate(0, 0, 6*(major-17))
		}
		add(fmt.Sprintf("%d.%d", major, minor), at)
		if newest {
			add(fmt.Sprint(major), at)
		}
	}
	for i := range 3 {
		add(fmt.Sprintf("%drc%d", major, i+1), released.AddDate(0, 0, 14*i-60))
		add(fmt.Sprintf("%dbeta%d", major, i+1), released.AddDate(0, 0, 21*i-140))
	}
	return tags
}

// ManyNames are n names of repositories as a large organisation has them, in no order.
func ManyNames(n int) []string {
	teams := strings.Fields("payments checkout ledger identity search catalog shipping pricing fraud growth platform data-lake ml observability edge mobile")
	parts := strings.Fields("api worker gateway scheduler exporter migrator frontend proxy cache indexer consumer producer admin cron webhook sync report importer cli agent")
	names := make([]string, 0, n)
	for i := range n {
		name := teams[i%len(teams)] + "/" + parts[i/len(teams)%len(parts)]
		if round := i / (len(teams) * len(parts)); round > 0 {
			name += fmt.Sprintf("-%03d", round)
		}
		names = append(names, name)
	}
	return names
}
