//go:build linux

package bench

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stowage/stowage/test/shelf"
)

// contender is one tool of the comparison. Each measures one pull into a new folder.
type contender struct {
	name string
	pull func(t *testing.T, ref, dir string) []usage // several for the parts of ours
}

// The parts that a pull of ours is measured in; the peers have the first only.
const (
	partPull   = iota // all blobs and rows are on disk
	partShown         // the page that watches has the end
	partUnpack        // each layer was read once more
)

func contenders() []contender {
	return []contender{
		{"Stowage", pullByServer},
		{"regctl image copy", func(t *testing.T, ref, dir string) []usage {
			host, _, _ := strings.Cut(ref, "/")
			return []usage{runPeer(t, shelf.RegctlTool, "--host", "reg="+host+",tls=disabled", "image", "copy", ref, "ocidir://"+
				dir+":x")}
		}},
		{"crane pull --format=oci", func(t *testing.T, ref, dir string) []usage {
			return []usage{runPeer(t, shelf.CraneTool, "pull", "--format=oci", ref, dir)}
		}},
	}
}

// pullByServer measures a pull by a server that was just started on an empty data folder, while its page is open: from
// the request until all is stored, until the page has been told so, and then the unpacking in the background.
func pullByServer(t *testing.T, ref, dir string) []usage {
	s := shelf.StartOn(t, dir, nil)
	pid := s.Cmd.Process.Pid
	cpu, begun := cpuOf(t, pid), time.Now()
	since := func() usage {
		return usage{wall: time.Since(begun), cpu: cpuOf(t, pid) - cpu, peak: shelf.MemoryOf(pid, "VmHWM")}
	}
	shown := pullAndWatch(s, ref)
	awaitPulled(s)
	pulled := since()
	if err := <-shown; err != nil {
		t.Fatal(err)
	}
	watched := since()
	awaitUnpacked(s)
	unpacked := since()
	unpacked.wall, unpacked.cpu = unpacked.wall-pulled.wall, unpacked.cpu-pulled.cpu
	if p := s.Page("/pulls/1"); p.PullState() != "done" {
		t.Fatalf("the pull of %s is not done: %s", ref, p.Text())
	}
	s.Stop()
	return []usage{pulled, watched, unpacked}
}

// pullAndWatch asks for a pull as the form does and reads the events of its page; the channel tells when they have
// ended.
func pullAndWatch(s *shelf.Server, ref string) <-chan error {
	s.T.Helper()
	ctx, cancel := context.WithTimeout(s.T.Context(), benchPatience)
	s.T.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/pulls",
		strings.NewReader(url.Values{"ref": {ref}}.Encode()))
	if err != nil {
		s.T.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		s.T.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusSeeOther {
		s.T.Fatalf("POST /pulls: %s, %v", resp.Status, err)
	}
	events := s.Events(ctx, resp.Header.Get("Location"))
	shown := make(chan error, 1)
	go func() {
		defer events.Close()
		for events.Lines.Scan() {
			if events.Lines.Text() == "event: end" {
				shown <- nil
				return
			}
		}
		shown <- fmt.Errorf("the events of the pull of %s broke off: %w", ref,
			cmp.Or(events.Lines.Err(), io.ErrUnexpectedEOF))
	}()
	return shown
}

// awaitPulled waits until the server logs the end of a pull: nothing that asks it would take less of its time.
func awaitPulled(s *shelf.Server) {
	s.T.Helper()
	ended := func(line string) bool { return strings.Contains(line, `"msg":"pull `) }
	line, err := s.AwaitLine(ended)
	for deadline := time.Now().Add(benchPatience); err != nil && time.Now().Before(deadline); {
		line, err = s.AwaitLine(ended) // a busy machine takes longer than one wait
	}
	if err != nil || !strings.Contains(line, `"msg":"pull done"`) {
		s.T.Fatalf("the pull did not end well: %s, %v", line, err)
	}
}

// unpackedEvery is how often the bench asks whether the layers are unpacked; benchPatience is for one pull or
// unpacking of a gigabyte on a machine that is busy.
const (
	unpackedEvery = 20 * time.Millisecond
	benchPatience = 5 * time.Minute
)

// awaitUnpacked waits until the server has read each layer. No page waits for that, so the database is asked.
func awaitUnpacked(s *shelf.Server) {
	s.T.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(s.Data, "stowage.db")+"?mode=ro&_busy_timeout=10000")
	if err != nil {
		s.T.Fatal(err)
	}
	defer db.Close()
	every := time.NewTicker(unpackedEvery)
	defer every.Stop()
	for deadline := time.Now().Add(benchPatience); time.Now().Before(deadline); <-every.C {
		var left, broken int
		if err := db.QueryRow(`SELECT count(*) FILTER (WHERE state = 'pending'), count(*) FILTER (WHERE state = 'broken')
			FROM layers`).Scan(&left, &broken); err != nil {
			s.T.Fatal(err)
		}
		if broken > 0 {
			s.T.Fatalf("%d layers are broken", broken)
		}
		if left == 0 {
			return
		}
	}
	s.T.Fatal("the layers were not unpacked")
}

// pullFigures are the measured pulls of one image: by contender, round and part.
type pullFigures struct {
	image  benchImage
	rounds [][][]usage
}

// measurePulls has each contender pull each image in turn, so that a ratio compares what ran beside each other. The
// order changes with each round, and each begins on a disk that has nothing left to write.
func measurePulls(t *testing.T, rounds int) []pullFigures {
	base, err := shelf.UpstreamBase()
	if err != nil {
		t.Fatal(err)
	}
	var all []pullFigures
	for _, im := range benchImages() {
		im.push(t, base)
		tools := contenders()
		figures := pullFigures{image: im, rounds: make([][][]usage, len(tools))}
		ref := strings.TrimPrefix(base, "http://") + "/" + im.ref
		for round := range rounds + 1 {
			for i := range tools {
				i = (i + round) % len(tools)
				var u []usage
				t.Run(fmt.Sprintf("%s/%s/%d", im.name, tools[i].name, round), func(t *testing.T) {
					dir := filepath.Join(t.TempDir(), "layout")
					syscall.Sync()
					u = tools[i].pull(t, ref, dir)
					if _, err := os.Stat(filepath.Join(dir, "index.json")); err != nil {
						t.Errorf("no image layout was left: %v", err)
					}
				})
				if t.Failed() {
					t.FailNow()
				}
				if round > 0 { // the first warms caches up
					figures.rounds[i] = append(figures.rounds[i], u)
				}
			}
		}
		all = append(all, figures)
	}
	return all
}

// writePulls writes a table for each image.
func writePulls(out *bytes.Buffer, all []pullFigures) {
	tools := contenders()
	for _, f := range all {
		fmt.Fprintf(out, "### Pulling %s (%.0f MiB compressed), median of %d rounds\n\n", f.image.name,
			float64(f.image.size)/(1<<20), len(f.rounds[0]))
		fmt.Fprintf(out, "| | wall | of ours | CPU | of ours | peak memory | of ours |\n|---|---|---|---|---|---|---|\n")
		for i, tool := range tools {
			values := make([]string, 0, 6)
			for _, m := range []measure{wall, cpuTime, peak} {
				values = append(values, m.write(median(f.column(i, partPull, m.of))),
					fmt.Sprintf("%.2f", median(f.ratios(i, m.of))))
			}
			fmt.Fprintf(out, "| %s | %s |\n", tool.name, strings.Join(values, " | "))
		}
		for _, part := range []struct {
			name string
			n    int
		}{{"Stowage, until its page shows the end", partShown}, {"Stowage, unpacking afterwards", partUnpack}} {
			fmt.Fprintf(out, "| *%s* | %s | | %s | | %s | |\n", part.name, wall.write(median(f.column(0, part.n, wall.of))),
				cpuTime.write(median(f.column(0, part.n, cpuTime.of))), peak.write(median(f.column(0, part.n, peak.of))))
		}
		fmt.Fprintf(out, "\nWall of each round, ours / regctl / crane:")
		for r := range f.rounds[0] {
			separator := ","
			if r == 0 {
				separator = ""
			}
			fmt.Fprintf(out, "%s %.2f / %.2f / %.2f s", separator, f.rounds[0][r][partPull].wall.Seconds(),
				f.rounds[1][r][partPull].wall.Seconds(), f.rounds[2][r][partPull].wall.Seconds())
		}
		fmt.Fprintf(out, ".\n\n")
	}
}

// measure is one of the figures of a usage, and how it is written.
type measure struct {
	of    func(usage) float64
	write func(float64) string
}

var (
	wall    = measure{func(u usage) float64 { return u.wall.Seconds() }, seconds}
	cpuTime = measure{func(u usage) float64 { return u.cpu.Seconds() }, seconds}
	peak    = measure{func(u usage) float64 { return float64(u.peak) }, mebibytes}
)

func seconds(v float64) string { return fmt.Sprintf("%.2f s", v) }

func mebibytes(v float64) string { return fmt.Sprintf("%.0f MiB", v/(1<<20)) }

func (f pullFigures) column(tool, part int, of func(usage) float64) []float64 {
	values := make([]float64, 0, len(f.rounds[tool]))
	for _, r := range f.rounds[tool] {
		values = append(values, of(r[part]))
	}
	return values
}

// ratios sets each round of a tool beside ours of the same round.
func (f pullFigures) ratios(tool int, of func(usage) float64) []float64 {
	ours, theirs := f.column(0, partPull, of), f.column(tool, partPull, of)
	for i := range theirs {
		theirs[i] /= ours[i]
	}
	return theirs
}

func median[T cmp.Ordered](values []T) T { return quantile(values, 0.5) }

// quantile returns the value that a share of all are not above.
func quantile[T cmp.Ordered](values []T, share float64) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(share*float64(len(sorted)-1)+0.5)]
}
