//go:build linux

package bench

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// load is what clients ask of a server side by side, each over one connection that is kept alive, again and again.
type load struct {
	method, path string
	header       string // lines, each with its end
	clients      int
	status       int // of every answer
}

// servedLoad is what a server has answered in a time.
type servedLoad struct {
	answers int64   // headers that arrived
	bytes   int64   // of bodies
	seconds float64 // until the last client stopped
}

func (s servedLoad) perSecond() float64 { return float64(s.answers) / s.seconds }

func (s servedLoad) gigabytes() float64 { return float64(s.bytes) / s.seconds / 1e9 }

// put asks addr for a time. The client shares the machine with the server and must cost little beside it: requests are
// written as they are, of answers only the header is read, and bodies are thrown away in the kernel.
func (l load) put(addr string, during time.Duration) (servedLoad, error) {
	var mu sync.Mutex
	var sum servedLoad
	var failed error
	var all sync.WaitGroup
	begun := time.Now()
	for range l.clients {
		all.Go(func() {
			answers, bytes, err := l.client(addr, begun.Add(during))
			mu.Lock()
			defer mu.Unlock()
			sum.answers, sum.bytes = sum.answers+answers, sum.bytes+bytes
			failed = errors.Join(failed, err)
		})
	}
	all.Wait()
	sum.seconds = time.Since(begun).Seconds()
	return sum, failed
}

// client is one connection. At the end of its time it stops in the middle of a body.
func (l load) client(addr string, until time.Time) (answers, received int64, err error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close()
	socket, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return 0, 0, err
	}
	request := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\n%s\r\n", l.method, l.path, addr,
		l.header)
	header := bufio.NewReaderSize(conn, 4<<10)
	buffer := make([]byte, 1<<20)
	for time.Now().Before(until) {
		if _, err := conn.Write(request); err != nil {
			return answers, received, err
		}
		status, length, err := readHeader(header)
		if err == nil && status != l.status {
			err = fmt.Errorf("%s %s: status %d, want %d", l.method, l.path, status, l.status)
		}
		if err != nil {
			return answers, received, err
		}
		answers++
		if l.method == "HEAD" {
			continue
		}
		begun, err := header.Discard(int(min(length, int64(header.Buffered()))))
		if err != nil {
			return answers, received, err
		}
		received += int64(begun)
		for length -= int64(begun); length > 0; {
			if time.Now().After(until) {
				return answers, received, nil
			}
			n, err := discard(socket, buffer[:min(length, int64(len(buffer)))])
			if err != nil {
				return answers, received, err
			}
			received, length = received+n, length-n
		}
	}
	return answers, received, nil
}

// readHeader reads the header of an answer.
func readHeader(r *bufio.Reader) (status int, length int64, err error) {
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return 0, 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		switch name, value, _ := bytes.Cut(line, []byte(": ")); {
		case first:
			if len(line) < 12 {
				return 0, 0, fmt.Errorf("the answer begins with %q", line)
			}
			if status, err = strconv.Atoi(string(line[9:12])); err != nil {
				return 0, 0, err
			}
		case len(line) == 0:
			return status, length, nil
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.ParseInt(string(value), 10, 64); err != nil {
				return 0, 0, err
			}
		}
	}
}

// discard takes what has arrived, len(buffer) bytes at most, without copying it out of the kernel (tcp(7), MSG_TRUNC).
func discard(socket syscall.RawConn, buffer []byte) (n int64, err error) {
	var failed error
	err = socket.Read(func(fd uintptr) bool {
		var got int
		got, _, failed = unix.Recvfrom(int(fd), buffer, unix.MSG_TRUNC)
		if errors.Is(failed, unix.EAGAIN) {
			return false
		}
		if failed == nil && got == 0 {
			failed = io.ErrUnexpectedEOF
		}
		n = int64(got)
		return true
	})
	return n, errors.Join(err, failed)
}

func TestALoadCountsWhatIsAnsweredAndTakesNoOtherAnswer(t *testing.T) {
	var answered atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answered.Add(1)
		w.Header().Set("Content-Length", "3000000")
		if r.URL.Path == "/short" {
			_, _ = w.Write(make([]byte, 10_000))
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write(make([]byte, 3_000_000))
	}))
	defer server.Close()
	addr := strings.TrimPrefix(server.URL, "http://")
	l := load{method: http.MethodGet, path: "/", clients: 2, status: http.StatusOK}
	got, err := l.put(addr, 50*time.Millisecond)
	if most := answered.Load(); err != nil || got.answers < 1 || got.answers > most || got.bytes < 1 ||
		got.bytes > got.answers*3_000_000 {
		t.Errorf("%+v of %d answers, %v", got, most, err)
	}
	l.status = http.StatusNotModified
	if _, err := l.put(addr, time.Minute); err == nil || !strings.Contains(err.Error(), "status 200") {
		t.Errorf("another status: %v", err)
	}
	l.status, l.path = http.StatusOK, "/short"
	if _, err := l.put(addr, time.Minute); err == nil {
		t.Error("an answer that broke off was taken")
	}
}
