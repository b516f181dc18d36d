//go:build linux

package bench

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/stowage/stowage/test/shelf"
)

// What is promised of serving, beside the other registries. A promise is broken when three rounds out of four were
// worse.
const (
	manifestsOfDistribution = 3.0
	manifestsOfOlareg       = 0.8
	blobsOfTheBetter        = 0.95
	servingMemory           = 60 << 20 // bytes at most
)

// A round asks each server for a slice of time. Many short ones come to the same as few long ones where the machine
// is quiet, and to much better where it is not.
const (
	sliceTime      = 400 * time.Millisecond
	slicesOfARound = 3
)

var servingInto = flag.String("serving-into", "",
	"in a network of its own, for TestServingReport: measure serving, and write the table to this file")

// TestServingReport is the part of TestReport that runs in a network of its own.
func TestServingReport(t *testing.T) {
	if *servingInto == "" {
		return
	}
	machine := congestionControl(t) // a new network has the machine's
	setUpNetwork(t)
	var out bytes.Buffer
	writeServing(t, &out, measureServing(t, *rounds, machine))
	if err := os.WriteFile(*servingInto, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// reportServing measures serving in a network of its own, or, where there is none, in the machine's.
func reportServing(t *testing.T, out *bytes.Buffer) {
	t.Helper()
	// the network of its own does not reach the module proxy
	for _, tool := range []func() (string, error){shelf.DistributionTool, shelf.OlaregTool} {
		if _, err := tool(); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "serving")
	if !inOwnNetwork(t, "TestServingReport", "-serving-into="+path, fmt.Sprintf("-rounds=%d", *rounds)) {
		writeServing(t, out, measureServing(t, *rounds, ""))
		return
	}
	table, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(table)
}

// server is a registry whose serving is measured, as a process of its own on a folder of its own.
type server struct {
	name    string
	command func(addr string) *exec.Cmd
	path    string // of the image's repository
	addr    string
	cmd     *exec.Cmd
}

// servers are ours first, each on a folder in data.
func servers(t *testing.T, data string) []*server {
	t.Helper()
	distribution, err := shelf.DistributionTool()
	if err != nil {
		t.Fatal(err)
	}
	olareg, err := shelf.OlaregTool()
	if err != nil {
		t.Fatal(err)
	}
	return []*server{
		{name: "Stowage", command: func(addr string) *exec.Cmd {
			return shelf.Command(t, nil, "--listen="+addr, "--data="+filepath.Join(data, "stowage"), "--platform=linux/amd64")
		}},
		{name: "distribution", path: "/v2/bench/serving", command: func(addr string) *exec.Cmd {
			config := filepath.Join(data, "distribution.yml")
			settings := "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nhttp: {addr: '" + addr +
				"', secret: bench}\n" +
				"storage: {filesystem: {rootdirectory: '" + filepath.Join(data, "distribution") + "'}}\n"
			if err := os.WriteFile(config, []byte(settings), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(distribution, "serve", config)
			cmd.Env = append(os.Environ(), "OTEL_TRACES_EXPORTER=none")
			return cmd
		}},
		{name: "olareg", path: "/v2/bench/serving", command: func(addr string) *exec.Cmd {
			host, port, _ := strings.Cut(addr, ":")
			return exec.Command(olareg, "serve", "--addr="+host, "--port="+port, "--dir="+filepath.Join(data, "olareg"))
		}},
	}
}

// start runs the server until the test ends, or stop is called, and waits until it answers.
func (s *server) start(t *testing.T) {
	t.Helper()
	if s.addr == "" {
		free, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s.addr = free.Addr().String()
		if err := free.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s.cmd = s.command(s.addr) // what it logs goes nowhere, but it is written
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	shelf.Eventually(t, s.cmd.String()+" to answer", func() bool {
		resp, err := http.Get("http://" + s.addr + "/v2/")
		if err != nil {
			return false
		}
		return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
	})
}

func (s *server) stop(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := s.cmd.Wait(); err != nil && !errors.As(err, &exit) { // who ends by the signal has ended
		t.Fatal(err)
	}
}

// fill puts the image into the peers and pulls it onto our shelf. Each server is another process afterwards, so that
// its peak memory is of serving alone, and has to read its files from the disk: how a file was written decides how its
// pages lie in memory, and so how fast the kernel sends them.
func fill(t *testing.T, all []*server, data string, im *benchImage) {
	t.Helper()
	ours, distribution := all[0], all[1]
	for _, s := range all {
		s.start(t)
	}
	for _, s := range all[1:] {
		im.size = 0
		im.push(t, "http://"+s.addr)
	}
	shelf := &shelf.Server{T: t, URL: "http://" + ours.addr, Data: filepath.Join(data, "stowage")}
	shelf.AwaitState(shelf.Pull(distribution.addr+"/"+im.ref), "done")
	awaitUnpacked(shelf)
	ours.path = "/v2/" + strings.ReplaceAll(distribution.addr, ":", "_") + "/bench/serving"
	for _, s := range all {
		s.stop(t)
	}
	forgetFiles(t, data)
	for _, s := range all {
		s.start(t)
	}
}

// forgetFiles drops the files of a folder from the page cache.
func forgetFiles(t *testing.T, dir string) {
	t.Helper()
	syscall.Sync() // what is not written yet would stay
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// servingView is something to ask the servers for.
type servingView struct {
	name    string
	ask     func(repository string) load
	blob    bool   // the figure is bytes a second
	target  bool   // it must be as fast as is promised
	without string // the server that answers it otherwise
	control string // the congestion control, where it is not the one of the others
}

func servingViews(im *benchImage, machine string) []servingView {
	manifest := func(method, reference string, status int, header string) func(string) load {
		return func(repository string) load {
			accept := "Accept: " + im.manifest.MediaType + "\r\n"
			return load{method: method, path: repository + "/manifests/" + reference, header: accept + header, clients: 8,
				status: status}
		}
	}
	blob := func(streams int) func(string) load {
		return func(repository string) load {
			path := repository + "/blobs/" + string(im.manifest.Layers[0].Digest)
			return load{method: http.MethodGet, path: path, clients: streams, status: http.StatusOK}
		}
	}
	size := fmt.Sprintf("blob of %.0f MB, ", float64(im.manifest.Layers[0].Size)/1e6)
	views := []servingView{
		{name: "manifest by tag", ask: manifest(http.MethodGet, "1", http.StatusOK, ""), target: true},
		{name: "manifest by digest", ask: manifest(http.MethodGet, string(im.digest), http.StatusOK, ""), target: true},
		{name: "HEAD of a tag", ask: manifest(http.MethodHead, "1", http.StatusOK, "")},
		{name: "a tag that has not moved, by ETag",
			ask:     manifest(http.MethodGet, "1", http.StatusNotModified, "If-None-Match: \""+string(im.digest)+"\"\r\n"),
			without: "olareg"},
		{name: size + "1 stream", ask: blob(1), blob: true, target: true},
		{name: size + "4 streams", ask: blob(4), blob: true, target: true},
	}
	if machine != "" && !slices.Contains(unpaced, machine) {
		views = append(views, servingView{name: "1 stream, paced by " + machine, ask: blob(1), blob: true, control: machine},
			servingView{name: "4 streams, paced by " + machine, ask: blob(4), blob: true, control: machine})
	}
	return views
}

// servingSlice is what a server did in a slice of time.
type servingSlice struct {
	servedLoad
	cpu time.Duration
}

// servingFigures are the slices of each view, by server, and each server's peak memory.
type servingFigures struct {
	servers []*server
	views   []servingView
	slices  [][][]servingSlice
	control string // of the views that have none of their own
}

// measureServing has the servers answer in turn, so that a ratio compares what ran beside each other. The order changes
// with each round. The machine's congestion control is given where another can be set.
func measureServing(t *testing.T, rounds int, machine string) servingFigures {
	t.Helper()
	im := benchImage{name: "serving", ref: "bench/serving:1", layers: []int64{256 << 20}}
	for i := range int64(9) {
		im.layers = append(im.layers, (64+32*i)<<10)
	}
	data := t.TempDir()
	f := servingFigures{servers: servers(t, data), control: congestionControl(t)}
	fill(t, f.servers, data, &im)
	f.views = servingViews(&im, machine)
	for _, v := range f.views {
		if v.control != "" {
			if err := os.WriteFile(congestionFile, []byte(v.control), 0); err != nil {
				t.Fatal(err)
			}
		}
		slices := make([][]servingSlice, len(f.servers))
		for round := range slicesOfARound*rounds + 1 {
			for i := range f.servers {
				i = (i + round) % len(f.servers)
				s := f.servers[i]
				if s.name == v.without {
					continue
				}
				before := cpuOf(t, s.cmd.Process.Pid)
				answered, err := v.ask(s.path).put(s.addr, sliceTime)
				if err != nil {
					t.Fatalf("%s, %s: %v", s.name, v.name, err)
				}
				if round > 0 { // the first warms caches up
					slices[i] = append(slices[i], servingSlice{answered, cpuOf(t, s.cmd.Process.Pid) - before})
				}
			}
		}
		f.slices = append(f.slices, slices)
	}
	return f
}

// speeds are the figures of a view, a round each.
func (f servingFigures) speeds(view, server int) []float64 {
	speeds := make([]float64, 0, len(f.slices[view][server]))
	for _, s := range f.slices[view][server] {
		if f.views[view].blob {
			speeds = append(speeds, s.gigabytes())
		} else {
			speeds = append(speeds, s.perSecond())
		}
	}
	return speeds
}

// ours sets our figures of a view beside the better of some servers' in the same round; nothing where none has it.
func (f servingFigures) ours(view int, beside ...int) []float64 {
	var ratios []float64
	for round, speed := range f.speeds(view, 0) {
		best := 0.0
		for _, server := range beside {
			if theirs := f.speeds(view, server); len(theirs) > 0 {
				best = max(best, theirs[round])
			}
		}
		if best > 0 {
			ratios = append(ratios, speed/best)
		}
	}
	return ratios
}

// gigabyteCPU is the server's processor time for a gigabyte of a view.
func (f servingFigures) gigabyteCPU(view, server int) float64 {
	var sum servingSlice
	for _, s := range f.slices[view][server] {
		sum.cpu, sum.bytes = sum.cpu+s.cpu, sum.bytes+s.bytes
	}
	return sum.cpu.Seconds() / (float64(sum.bytes) / 1e9)
}

// writeServing writes the table, and fails the test for what is not as promised.
func writeServing(t *testing.T, out *bytes.Buffer, f servingFigures) {
	t.Helper()
	fmt.Fprintf(out, "### Serving, median of %d slices of %s, TCP by %s\n\n", len(f.slices[0][0]), sliceTime, f.control)
	fmt.Fprintf(out, "| |")
	for _, s := range f.servers {
		fmt.Fprintf(out, " %s |", s.name)
	}
	fmt.Fprintf(out, " ours / distribution's | ours / olareg's |\n|---|---:|---:|---:|---:|---:|\n")
	for i, v := range f.views {
		fmt.Fprintf(out, "| %s |", v.name)
		for n := range f.servers {
			speeds := f.speeds(i, n)
			switch {
			case len(speeds) == 0:
				fmt.Fprintf(out, " |")
			case v.blob:
				fmt.Fprintf(out, " %.2f GB/s |", median(speeds))
			default:
				fmt.Fprintf(out, " %s/s |", thousands(int(median(speeds))))
			}
		}
		for peer := 1; peer < len(f.servers); peer++ {
			ratios := f.ours(i, peer)
			if len(ratios) == 0 {
				fmt.Fprintf(out, " |")
				continue
			}
			fmt.Fprintf(out, " %.2f (%.2f to %.2f) |", median(ratios), quantile(ratios, 0.1), quantile(ratios, 0.9))
		}
		fmt.Fprintln(out)
		if v.target && v.blob && slices.Contains(unpaced, f.control) {
			promised(t, v.name, "the better of the two", f.ours(i, 1, 2), blobsOfTheBetter)
		} else if v.target {
			promised(t, v.name, f.servers[1].name, f.ours(i, 1), manifestsOfDistribution)
			promised(t, v.name, f.servers[2].name, f.ours(i, 2), manifestsOfOlareg)
		}
	}
	fmt.Fprintf(out, "| server's CPU for a GB, 4 streams |")
	four := slices.IndexFunc(f.views,
		func(v servingView) bool { return v.blob && v.target && strings.HasSuffix(v.name, "4 streams") })
	for n := range f.servers {
		fmt.Fprintf(out, " %.2f s |", f.gigabyteCPU(four, n))
	}
	fmt.Fprintf(out, " | |\n| peak memory |")
	for _, s := range f.servers {
		fmt.Fprintf(out, " %s |", mebibytes(float64(shelf.MemoryOf(s.cmd.Process.Pid, "VmHWM"))))
	}
	fmt.Fprintf(out, " | |\n\n")
	if used := shelf.MemoryOf(f.servers[0].cmd.Process.Pid, "VmHWM"); used > servingMemory {
		t.Errorf("our server took %s, more than %s", mebibytes(float64(used)), mebibytes(servingMemory))
	}
}

// promised fails the test where the ratios of three rounds out of four are below what is promised.
func promised(t *testing.T, what, beside string, ratios []float64, least float64) {
	t.Helper()
	if of := quantile(ratios, 0.75); of < least {
		t.Errorf("%s: %.2f of %s's speed, and in three rounds out of four below %.2f: less than %.2f", what, median(ratios),
			beside, of, least)
	}
}

func TestOursIsSetBesideTheBetterOfTheSameRound(t *testing.T) {
	answers := func(all ...int64) []servingSlice {
		slices := make([]servingSlice, len(all))
		for i, n := range all {
			slices[i].answers, slices[i].seconds = n, 1
		}
		return slices
	}
	f := servingFigures{views: make([]servingView, 1),
		slices: [][][]servingSlice{{answers(10, 30), answers(20, 10), answers(5, 60), nil}}}
	if got := f.ours(0, 1, 2); !slices.Equal(got, []float64{0.5, 0.5}) {
		t.Errorf("%v", got)
	}
	if got := f.ours(0, 3); got != nil {
		t.Errorf("%v beside a server that does not have it", got)
	}
}
