// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tracer-agent/tracer-agent/internal/otlptest"
	"github.com/tracer-agent/tracer-agent/test/suite"
)

// canaries are strings that only the traffic of unselected processes carries,
// by how they could leak. witness is one that selected traffic carries, to
// prove that the search finds what is there.
type canaries struct {
	mu      sync.Mutex
	byRoute map[string]string
	witness string
}

func newCanaries() *canaries {
	return &canaries{byRoute: map[string]string{}, witness: "witness" + newID(12)}
}

// route returns the canary of a route of leaking, made at its first use.
func (k *canaries) route(name string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.byRoute[name] == "" {
		k.byRoute[name] = "canary" + newID(12)
	}
	return k.byRoute[name]
}

// canaryRequest carries canary wherever a request can.
func canaryRequest(canary string) *request {
	return &request{method: http.MethodPost, target: "/echo?q=" + canary, body: strings.Repeat(canary+" ", 50),
		fields: []string{"X-Secret: " + canary, "Cookie: id=" + canary}}
}

// TestUnselectedNeverSeen proves that no byte of an unselected process reaches
// user space, while selected and unselected processes start and end: not in
// spans, not on standard output or error, not in the raw records that came out
// of the kernel, not in the agent's memory.
func TestUnselectedNeverSeen(t *testing.T) {
	p := newPrivacy(t)
	churn := map[string]func(*testing.T, string){
		"unselected server":             p.unselectedServer,
		"new unselected servers":        p.unselectedChurn,
		"unselected unix socket":        p.unselectedUnix,
		"source port in selected range": p.selectedSourcePort,
		"excluded server":               p.excludedServer,
		"program run by selected one":   p.spawned,
		"unselected client program":     p.unselectedCurl,
		"selected servers":              p.selectedChurn,
	}
	t.Run("churn", func(t *testing.T) {
		for name, f := range churn {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				f(t, p.canaries.route(name))
			})
		}
	})
	p.verify(t)
}

type privacy struct {
	*theme
	canaries *canaries
	dir      string // of executables; dir/excluded is excluded
	selected *suite.Ports
	outside  *suite.Ports
	sent     atomic.Int64
	spawner  *server
	excluded *server
}

// rounds of every churn loop.
const rounds = 12

func newPrivacy(t *testing.T) *privacy {
	t.Helper()
	dir := suite.WorkDir(t)
	p := &privacy{canaries: newCanaries(), dir: dir, selected: suite.NewPorts(t), outside: suite.NewPorts(t)}
	mkdir(t, filepath.Join(dir, "excluded"))
	bin := copyProgram(t, suite.Program("webserver"), filepath.Join(dir, "excluded"))
	args := []string{"--port", p.selected.Selector(), "--exclude-exe", dir + "/excluded/*", "--stdout", "json"}
	p.theme = newTheme(t, agentOptions{args: args})
	p.agent.selecting(t, 1, func() { startGo(t, "known from now on", p.selected.Take(t)) })
	port := p.selected.Take(t)
	p.excluded = run(t, "excluded", port, exec.Command(bin, fmt.Sprintf("127.0.0.1:%d", port)))
	p.spawner = startPython("1.1", "thread")(t, "spawner", p.selected.Take(t))
	return p
}

// visit sends a canary to s and requires it back, so that it did flow.
func (p *privacy) visit(t *testing.T, conn *rawConn, canary string) {
	r := canaryRequest(canary)
	if _, err := io.WriteString(conn, r.head(conn.host)+r.payload()); err != nil {
		t.Errorf("%s: %v", conn.server.name, err)
		return
	}
	resp, err := http.ReadResponse(conn.in, nil)
	if err != nil {
		t.Errorf("%s: %v", conn.server.name, err)
		return
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || string(body) != r.body {
		t.Errorf("%s: the canary did not come back: %q, %v", conn.server.name, body, err)
		return
	}
	p.sent.Add(1)
}

func (p *privacy) unselectedServer(t *testing.T, canary string) {
	s := startGo(t, "unselected", p.outside.Take(t))
	kept := s.dial(t, "")
	for range rounds * 10 {
		p.visit(t, kept, canary)
		conn := s.dial(t, "")
		p.visit(t, conn, canary)
		conn.Close()
	}
}

func (p *privacy) unselectedChurn(t *testing.T, canary string) {
	for range rounds {
		s := startGo(t, "unselected", p.outside.Take(t))
		for range 3 {
			p.visit(t, s.dial(t, ""), canary)
		}
		s.Kill()
	}
}

func (p *privacy) unselectedUnix(t *testing.T, canary string) {
	path := filepath.Join(p.dir, "unselected.sock")
	proc := suite.Launch(t, "unselected unix", exec.Command(suite.Program("webserver"), "unix:"+path))
	suite.WaitListening(t, proc, "unix", path)
	s := &server{Process: proc, name: "unselected unix", unix: path}
	for range rounds {
		p.visit(t, s.dial(t, ""), canary)
	}
}

// selectedSourcePort connects from a port of the selected range: only listening
// on one selects.
func (p *privacy) selectedSourcePort(t *testing.T, canary string) {
	s := startGo(t, "unselected", p.outside.Take(t))
	for range 3 {
		conn, err := dialFrom(p.selected.Take(t)).Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
		if err != nil {
			t.Errorf("dial from a selected port: %v", err)
			return
		}
		p.visit(t, newRawConn(conn, s), canary)
		conn.Close()
	}
}

// excludedServer listens on a selected port, but exclusion wins.
func (p *privacy) excludedServer(t *testing.T, canary string) {
	kept := p.excluded.dial(t, "")
	for range rounds {
		p.visit(t, kept, canary)
		p.visit(t, p.excluded.dial(t, ""), canary)
	}
}

// spawned makes a selected process run another program, which inherits
// selection at fork and loses it at exec.
func (p *privacy) spawned(t *testing.T, canary string) {
	s := startGo(t, "unselected", p.outside.Take(t))
	config := filepath.Join(p.dir, "curlrc")
	text := fmt.Sprintf("url = \"http://127.0.0.1:%d/echo?%s\"\ndata = \"%s\"\nheader = \"X-Secret: %s\"\n", s.port, canary, strings.Repeat(canary, 20), canary)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Errorf("write %s: %v", config, err)
		return
	}
	want := fmt.Sprintf("%d\n", 20*len(canary))
	for i := range rounds {
		c := &tcase{T: t, theme: p.theme, label: "spawner"}
		rep := c.exchange(p.spawner.dial(t, ""), &request{target: fmt.Sprintf("/spawn?%s?%d", config, i)})
		if rep.body != want {
			t.Errorf("the spawned curl received %q bytes, want %q", rep.body, want)
			return
		}
		p.sent.Add(1)
	}
}

func (p *privacy) unselectedCurl(t *testing.T, canary string) {
	s := startGo(t, "unselected", p.outside.Take(t))
	config := filepath.Join(p.dir, "curlrc-unselected")
	text := fmt.Sprintf("url = \"http://127.0.0.1:%d/echo?%s\"\ndata = \"%s\"\n", s.port, canary, canary)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Errorf("write %s: %v", config, err)
		return
	}
	for range rounds {
		out, err := exec.Command("/usr/bin/curl", "-s", "-K", config).Output()
		if err != nil || string(out) != canary {
			t.Errorf("curl: %q, %v", out, err)
			return
		}
		p.sent.Add(1)
	}
}

// selectedChurn starts and ends selected servers all the while. The kernel selects
// them, but a rule excludes by program, so that what they did is told only if user space
// looked at the program before it was killed; else it is counted.
func (p *privacy) selectedChurn(t *testing.T, _ string) {
	unseen := func(e *expect) { e.optional = true }
	for i := range rounds {
		s := startGo(t, "selected", p.selected.Take(t))
		c := &tcase{T: t, theme: p.theme, label: "selected churn"}
		c.exchange(s.dial(t, ""), &request{target: fmt.Sprintf("/ok?%s=%d", p.canaries.witness, i), adjust: unseen})
		c.exchange(s.dial(t, ""), &request{target: fmt.Sprintf("/missing?%s=%d", p.canaries.witness, i), adjust: unseen})
		s.Kill()
	}
}

// verifyChurn requires that every request of selectedChurn was told or counted.
func (p *privacy) verifyChurn(t *testing.T) {
	t.Helper()
	p.agent.settled(t)
	counted := int(value(t, p.agent.scrape(t), requestsDropped+`{reason="not_selected"}`))
	told := 0
	for _, s := range p.agent.sink.Spans() {
		if strings.Contains(s.Str("url.query"), p.canaries.witness) {
			told++
		}
	}
	if told+counted < 2*rounds || told < rounds {
		t.Errorf("of %d requests of selected servers %d were told, %d counted as lost", 2*rounds, told, counted)
	}
}

// verify searches every place that data could have reached.
func (p *privacy) verify(t *testing.T) {
	t.Helper()
	if p.sent.Load() < 300 {
		t.Errorf("only %d canaries flew", p.sent.Load())
	}
	if trafficOnly() {
		p.finish(t)
		return
	}
	p.verifyChurn(t)
	p.lossy = true // a server that was killed before it was judged is counted as not selected
	memory := p.agent.Memory(t)
	p.finish(t)
	places := map[string][]byte{
		"agent's memory":  memory,
		"standard output": []byte(p.agent.stdout()),
		"standard error":  []byte(p.agent.Out.String()),
		"exported spans":  []byte(renderSpans(p.agent.sink.Spans())),
	}
	for place, data := range places {
		p.search(t, place, data)
	}
}

func (p *privacy) search(t *testing.T, place string, data []byte) {
	t.Helper()
	if place != "standard error" && place != "agent's memory" && !bytes.Contains(data, []byte(p.canaries.witness)) {
		t.Errorf("%s (%d bytes): selected traffic is not there, so the search proves nothing", place, len(data))
	}
	for route, canary := range p.canaries.byRoute {
		if at := bytes.Index(data, []byte(canary)); at >= 0 {
			t.Errorf("%s holds bytes of an unselected process (%s): %q", place, route, data[max(0, at-100):min(len(data), at+100)])
		}
	}
}

func renderSpans(spans []otlptest.Span) string {
	var b strings.Builder
	for i := range spans {
		fmt.Fprintln(&b, spans[i].String(), spans[i].Resource, spans[i].TraceState, spans[i].StatusMsg)
	}
	return b.String()
}
