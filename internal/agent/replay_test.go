// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tracer-agent/tracer-agent/export"
	"github.com/tracer-agent/tracer-agent/internal/record"
)

// recordings are of the same traffic (test/replay/traffic) on different kernels,
// machines and backends.
func recordings(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob("../../test/replay/testdata/*.rec")
	if err != nil || len(all) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	return all
}

// replayed is a span as the JSON exporter prints it.
type replayed struct {
	Start      int64          `json:"start_unix_nano"`
	SpanID     string         `json:"span_id"`
	Parent     string         `json:"parent_span_id"`
	Kind       string         `json:"kind"`
	Name       string         `json:"name"`
	Status     string         `json:"status"`
	Attributes map[string]any `json:"attributes"`
	line       string
}

// replay returns the spans of a recording, the earliest first.
func replay(t *testing.T, raw []byte) []replayed {
	t.Helper()
	var out bytes.Buffer
	if err := Replay(t.Context(), bytes.NewReader(raw), export.NewJSON(&out), slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	var all []replayed
	for lines := bufio.NewScanner(&out); lines.Scan(); {
		s := replayed{line: lines.Text()}
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b replayed) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), strings.Compare(a.SpanID, b.SpanID))
	})
	return all
}

// TestReplay makes the spans of every recording again, to the last digit.
func TestReplay(t *testing.T) {
	for _, path := range recordings(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for _, s := range replay(t, raw) {
				lines = append(lines, s.line)
			}
			got := strings.Join(lines, "\n") + "\n"
			golden := strings.TrimSuffix(path, ".rec") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("other spans than %s has; got\n%s", golden, got)
			}
		})
	}
}

// expected are the requests of the script, as either end's span says them.
func expected() []string {
	return []string{
		"GET /hello token=REDACTED&page=2 200 body=12", "POST /echo  200 body=300", "POST /echo chunked=1 200 body=3000", "HEAD /hello  200 body=0",
		"GET /stream  200 body=960", "GET /large  200 body=1048576", "GET /missing  404 body=19", "GET /hangup  <nil> body=unknown no_response",
		"GET /hello over=unix 200 body=12", "GET /hello pipelined=1 200 body=12", "GET /hello pipelined=2 200 body=12", "GET /hello pipelined=3 200 body=12",
		"GET /hello in=pieces 200 body=12", "PUT /echo  200 body=6", "GET /old  200 body=21",
	}
}

// TestReplayIsTheTruth compares the spans of every recording with what was sent.
func TestReplayIsTheTruth(t *testing.T) {
	for _, path := range recordings(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(bytes.ToLower(raw), []byte("canary")) {
				t.Error("the recording shows what it must not")
			}
			got, kind := map[string][]string{}, map[string]string{}
			spans := replay(t, raw)
			for _, s := range spans {
				got[s.Kind] = append(got[s.Kind], s.summary())
				kind[s.SpanID] = s.Kind
			}
			for _, s := range spans { // the script calls itself, and nothing of it does so while it answers
				if s.Kind == "client" && kind[s.Parent] == "server" {
					t.Errorf("the call %s is a child of a request", s.summary())
				}
			}
			want := expected()
			slices.Sort(want)
			for _, kind := range []string{"server", "client"} {
				slices.Sort(got[kind])
				if !slices.Equal(got[kind], want) {
					t.Errorf("%s spans\n%s\nwant\n%s", kind, strings.Join(got[kind], "\n"), strings.Join(want, "\n"))
				}
			}
		})
	}
}

func (s replayed) summary() string {
	path, query := s.Attributes["url.path"], s.Attributes["url.query"]
	if full, ok := s.Attributes["url.full"].(string); ok {
		_, rest, _ := strings.Cut(full, "://")
		i := strings.IndexByte(rest, '/')
		path, query, _ = strings.Cut(rest[i:], "?")
	}
	if query == nil {
		query = ""
	}
	body := "unknown"
	if n, ok := s.Attributes["http.response.body.size"].(float64); ok {
		body = fmt.Sprint(int64(n))
	}
	text := fmt.Sprint(s.Attributes["http.request.method"], " ", path, " ", query, " ", s.Attributes["http.response.status_code"], " body=", body)
	if e, ok := s.Attributes["error.type"].(string); ok && e != "404" {
		text += " " + e
	}
	return text
}

// TestReplayOfDamagedRecordings has every recording end early, and one that
// another version made.
func TestReplayOfDamagedRecordings(t *testing.T) {
	raw, err := os.ReadFile(recordings(t)[0])
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	for n := 0; n < len(raw); n += 997 {
		err := Replay(t.Context(), bytes.NewReader(raw[:n]), export.NewJSON(io.Discard), log)
		if err != nil && !errors.Is(err, record.ErrFormat) {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
	old := bytes.Replace(raw, []byte(`"ABI":1`), []byte(`"ABI":9`), 1)
	if err := Replay(t.Context(), bytes.NewReader(old), export.NewJSON(io.Discard), log); !errors.Is(err, record.ErrFormat) {
		t.Errorf("records of another version: %v", err)
	}
}
