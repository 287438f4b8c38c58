// SPDX-License-Identifier: Apache-2.0

//go:build integration

package probes

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/internal/event"
)

const (
	canary  = "CANARY-of-a-process-that-nobody-selected"
	roleEnv = "PRIVACY_TEST_ROLE"
	urlEnv  = "PRIVACY_TEST_URL"
)

// TestMain lets the test binary play the processes of TestPrivacy.
func TestMain(m *testing.M) {
	switch os.Getenv(roleEnv) {
	case "server":
		serve()
	case "client":
		ask(os.Getenv(urlEnv))
	default:
		os.Exit(m.Run())
	}
}

// serve answers on a free port, printed first, until standard input ends.
// /spawn makes it run a client, which is a child that executes a program.
func serve() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fatal(err)
	}
	fmt.Println(l.Addr())
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if strings.Contains(r.URL.Path, canary) {
			io.WriteString(w, canary)
		}
	})
	http.HandleFunc("/spawn", func(w http.ResponseWriter, r *http.Request) {
		if err := client(os.Getenv(urlEnv)).Run(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	go func() { fatal(http.Serve(l, nil)) }()
	io.Copy(io.Discard, os.Stdin)
}

func ask(url string) {
	for range 5 {
		resp, err := http.Post(url+"/"+canary, "text/plain", strings.NewReader(canary))
		if err != nil {
			fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func client(url string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{roleEnv + "=client", urlEnv + "=" + url}
	cmd.Stderr = os.Stderr
	return cmd
}

// startServer starts a server process; it ends with the test.
func startServer(t *testing.T, peer string) (pid uint32, url string) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{roleEnv + "=server", urlEnv + "=" + peer}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	var addr string
	if _, err := fmt.Fscanln(out, &addr); err != nil {
		t.Fatal(err)
	}
	return uint32(cmd.Process.Pid), "http://" + addr
}

func testOptions(b Backend) Options {
	return Options{Backend: b, RequestHead: 8192, ResponseHead: 2048, RingBytes: 4 << 20, Processes: 1024, Connections: 4096}
}

// usable returns the backends that this kernel loads; there must be one.
func usable(t *testing.T) []Backend {
	t.Helper()
	var found []Backend
	for _, b := range Backends() {
		p, err := Open(testOptions(b), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Logf("backend %s is not usable here", b)
			continue
		}
		p.Close()
		found = append(found, b)
	}
	if len(found) == 0 {
		t.Fatal("no backend is usable")
	}
	return found
}

// TestPrivacy reads every record at the ring buffer while one process is
// selected and others, among them its own children, start, talk and end.
func TestPrivacy(t *testing.T) {
	for _, b := range usable(t) {
		t.Run(string(b), func(t *testing.T) { testPrivacy(t, b) })
	}
}

func testPrivacy(t *testing.T, b Backend) {
	p, err := Open(testOptions(b), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	_, hidden := startServer(t, "")
	chosen, url := startServer(t, hidden)
	watch(t, p, chosen)

	records := make(chan []byte, 1<<14)
	ring, err := p.DataRing()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			rec, err := ring.Next(time.Time{})
			if errors.Is(err, ErrStopped) {
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			records <- bytes.Clone(rec)
		}
	}()

	const rounds = 20
	var churn sync.WaitGroup
	for range 3 {
		churn.Add(1)
		go func() {
			defer churn.Done()
			for range rounds {
				if err := client(hidden).Run(); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	for i := range rounds {
		get(t, fmt.Sprintf("%s/visible/%d", url, i))
		get(t, url+"/spawn")
	}
	churn.Wait()
	get(t, url+"/last")
	judge(t, chosen, records)
	if err := ring.Stop(); err != nil {
		t.Fatal(err)
	}
	<-done
	ring.Close()
}

func watch(t *testing.T, p *Probes, pid uint32) {
	t.Helper()
	if _, err := p.WatchProcess(pid); err != nil {
		t.Fatal(err)
	}
	if err := p.SetProcess(pid, Verdict{State: Selected}); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, url string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", url, resp.Status)
	}
}

// judge checks the records up to the one of the last request: all are of the
// selected process, and none holds a byte of what others said.
func judge(t *testing.T, chosen uint32, records <-chan []byte) {
	t.Helper()
	var visible, total int
	deadline := time.After(10 * time.Second)
	for {
		select {
		case rec := <-records:
			total++
			if bytes.Contains(rec, []byte("CANARY")) {
				t.Fatalf("a record holds what an unselected process said: %q", rec)
			}
			checkOwner(t, chosen, rec)
			if bytes.Contains(rec, []byte("/visible/")) {
				visible++
			}
			if bytes.Contains(rec, []byte("/last")) {
				if visible != 20 {
					t.Errorf("%d of 20 requests of the selected process were seen", visible)
				}
				t.Logf("%d records", total)
				return
			}
		case <-deadline:
			t.Fatalf("the last request was not seen; %d records", total)
		}
	}
}

func checkOwner(t *testing.T, chosen uint32, rec []byte) {
	t.Helper()
	var tgid uint32
	switch kind, err := event.Peek(rec); {
	case err != nil:
		t.Fatal(err)
	case kind == event.KindData:
		var e event.Data
		if err := e.Decode(rec); err != nil {
			t.Fatal(err)
		}
		tgid = e.TGID
	case kind == event.KindConn:
		var e event.Conn
		if err := e.Decode(rec); err != nil {
			t.Fatal(err)
		}
		tgid = e.TGID
	default:
		return // ends of connections name no process
	}
	if tgid != chosen {
		t.Fatalf("record of process %d, only %d is selected: % x", tgid, chosen, binary.LittleEndian.AppendUint32(nil, tgid))
	}
}
