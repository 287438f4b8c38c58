// SPDX-License-Identifier: Apache-2.0

//go:build integration

package integration

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/internal/otlptest"
)

// ledger holds the spans that a theme's traffic must lead to. Safe for
// concurrent use.
type ledger struct {
	mu      sync.Mutex
	entries []*expect
	missed  int // of so many required spans the kernel may have skipped what would have told of them
}

func (l *ledger) add(e *expect) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, e)
}

// forgive makes the entries of a case whose traffic failed optional, so that
// one failure is reported once.
func (l *ledger) forgive(label string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.entries {
		if e.label == label {
			e.optional = true
		}
	}
}

// missing says how many required spans are not among spans.
func (l *ledger) missing(spans []otlptest.Span) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := make(map[string]bool, 2*len(spans))
	for i := range spans {
		seen[spanKey(spans[i].Kind, spans[i].TraceID)] = true
		if spans[i].Parent == "" {
			seen[rootKey(&spans[i])] = true
		}
	}
	n := 0
	for _, e := range l.entries {
		if !e.optional && !seen[e.key()] {
			n++
		}
	}
	return n
}

// unexpected is the label of what nothing in the ledger explains.
const unexpected = "nothing else appears"

// compare matches spans with entries one to one. It returns the problems of
// every label; a label without problems maps to an empty list.
func (l *ledger) compare(spans []otlptest.Span) map[string][]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	problems := map[string][]string{unexpected: nil}
	byKey := map[string][]*otlptest.Span{}
	keys := map[string]bool{}
	for _, e := range l.entries {
		keys[e.key()] = true
	}
	for i := range spans {
		key := spanKey(spans[i].Kind, spans[i].TraceID)
		if !keys[key] {
			key = rootKey(&spans[i])
		}
		byKey[key] = append(byKey[key], &spans[i])
	}
	missed := l.missed
	for _, e := range l.entries {
		got := byKey[e.key()]
		byKey[e.key()] = nil
		if len(got) == 0 && !e.optional && missed > 0 {
			missed--
			continue
		}
		problems[e.label] = append(problems[e.label], e.judge(got)...)
	}
	for _, left := range byKey {
		for _, s := range left {
			problems[unexpected] = append(problems[unexpected], s.String())
		}
	}
	return problems
}

// judge compares what arrived under e's key with e.
func (e *expect) judge(got []*otlptest.Span) []string {
	what := fmt.Sprintf("%s %s?%s", e.method, e.path, e.query)
	switch {
	case len(got) == 0 && e.optional:
		return nil
	case len(got) == 0:
		return []string{what + ": no span"}
	case len(got) > 1:
		list := []string{fmt.Sprintf("%s: %d spans, want one", what, len(got))}
		for _, s := range got {
			list = append(list, "    "+s.String())
		}
		return list
	}
	diffs := e.check(got[0])
	if len(diffs) == 0 {
		return nil
	}
	return []string{what + ":\n    " + strings.Join(diffs, "\n    ") + "\n    span: " + got[0].String()}
}

// theme is one agent and the cases that share it.
type theme struct {
	*ledger
	agent *agent
	// lossy themes cut connections on purpose; their loss counters may move.
	lossy bool
}

// newTheme starts an agent for a set of cases.
func newTheme(t *testing.T, o agentOptions) *theme {
	t.Helper()
	return &theme{ledger: &ledger{}, agent: startAgent(t, o)}
}

// tcase is one case of a theme: its traffic, checked by the testing.T, and the
// label under which its expectations are filed.
type tcase struct {
	*testing.T
	theme *theme
	label string
}

// send runs the traffic of one case as a subtest.
func (th *theme) send(t *testing.T, label string, f func(c *tcase)) bool {
	return t.Run("send/"+label, func(t *testing.T) {
		c := &tcase{T: t, theme: th, label: label}
		defer func() {
			if t.Failed() {
				th.forgive(label)
			}
		}()
		f(c)
	})
}

// expect files one expectation of the case.
func (c *tcase) expect(e *expect) {
	e.label = c.label
	c.theme.add(e)
}

// await waits until all spans that are expected so far have come, or for as
// long as that is worth: a missing span is reported by finish, by case.
func (th *theme) await(t *testing.T) {
	t.Helper()
	if !trafficOnly() {
		_, _ = th.agent.sink.WaitUntil(func(s []otlptest.Span) bool { return th.missing(s) == 0 }, time.Now().Add(4*time.Second))
	}
}

// finish waits for the expected spans, stops the agent, which flushes, and
// compares everything that arrived with the ledger, one subtest per case.
func (th *theme) finish(t *testing.T) {
	t.Helper()
	if len(th.entries) == 0 {
		t.Fatal("no traffic was sent, so nothing is proved")
	}
	if trafficOnly() {
		t.Skipf("TRACER_AGENT=off: the traffic of %d requests was right, no agent was tested", len(th.entries))
	}
	th.await(t)
	if !th.lossy {
		th.agent.checkNothingLost(t)
	}
	th.agent.accounts(t).check(t)
	metrics := th.lastWords(t)
	th.agent.shutdown(t)
	problems := th.compare(th.agent.sink.Spans())
	for _, label := range sortedKeys(problems) {
		t.Run("spans/"+label, func(t *testing.T) {
			for i, p := range problems[label] {
				if i == 10 {
					t.Errorf("and %d more", len(problems[label])-i)
					break
				}
				t.Error(p)
			}
		})
	}
	if t.Failed() {
		t.Logf("the agent's metrics before it was stopped:\n%s", metrics)
	}
}

// lastWords reads the agent's metrics, for a report, before it is stopped.
func (th *theme) lastWords(t *testing.T) string {
	t.Helper()
	series := th.agent.scrape(t)
	if th.missed = missedRuns(series); th.missed > 0 {
		t.Logf("this kernel left out %d runs, which were counted: of %d spans so many may be missing", th.missed, len(th.entries))
	}
	return nonzero(series)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// newID returns n random bytes in hexadecimal, as trace and span ids are written.
func newID(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}
