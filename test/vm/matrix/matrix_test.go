// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const sample = `set full
date 2026-01-31
commit abc1234
release 6.1.0-50-cloud-amd64
backend fentry yes the default: connection state in the socket
backend sock-tracepoint no kernels that refuse trampolines: no such hook
backend syscall-tracepoint yes the last resort
case all verifier pass 7.3
insns fentry tcp_send 1000
case fentry TestSyscalls FAIL 6.1
case fentry io_uring skip 0.1
case syscall-tracepoint TestSyscalls pass 5
case all kernel-log pass 0.1
`

func parsed(t *testing.T, text string) *results {
	t.Helper()
	path := filepath.Join(t.TempDir(), "6.1.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := readResults(path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestFailures(t *testing.T) {
	for name, row := range map[string]struct {
		from, to string
		want     []string
	}{
		"a failed case":       {"", "", []string{"6.1: fentry: TestSyscalls: FAIL"}},
		"what it said":        {"FAIL 6.1\n", "FAIL 6.1\nsaid a_test.go:9: no  span\n", []string{"6.1: fentry: TestSyscalls: FAIL", "  a_test.go:9: no span"}},
		"nothing":             {"FAIL", "pass", nil},
		"a guest that died":   {sample[strings.Index(sample, "case fentry"):], "", []string{"6.1: the guest did not get to the end"}},
		"a backend that died": {"TestSyscalls FAIL 6.1\n", "TestSyscalls pass 6.1\nbackend syscall-tracepoint no it: broke\n", []string{"6.1: syscall-tracepoint should work: it: broke"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := parsed(t, strings.Replace(sample, row.from, row.to, 1)).failures(); !reflect.DeepEqual(got, row.want) {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
	}
}

func TestBadResults(t *testing.T) {
	for _, line := range []string{"release", "case all verifier pass", "case all verifier pass soon", "insns fentry tcp_send many", "insns tcp_send 5", "said", "surprise 1"} {
		path := filepath.Join(t.TempDir(), "6.1.txt")
		if err := os.WriteFile(path, []byte(sample+line+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readResults(path); err == nil || !strings.Contains(err.Error(), line) {
			t.Errorf("%q: %v, want an error that names the line", line, err)
		}
	}
}

func TestGolden(t *testing.T) {
	for name, row := range map[string]struct {
		was  map[string]int
		want []string
	}{
		"the same":      {map[string]int{"fentry/tcp_send": 1000}, nil},
		"less":          {map[string]int{"fentry/tcp_send": 5000}, nil},
		"ten per cent":  {map[string]int{"fentry/tcp_send": 910}, nil},
		"more than ten": {map[string]int{"fentry/tcp_send": 909}, []string{"6.1: fentry/tcp_send: 1000 instructions, 10 % more than 909 (make verifier-accept)"}},
		"new":           {nil, []string{"6.1: fentry/tcp_send: 1000 instructions, not in test/vm/matrix/verifier.txt (make verifier-accept)"}},
		"gone":          {map[string]int{"fentry/tcp_send": 1000, "fentry/unix_send": 7}, []string{"6.1: fentry/unix_send did not load"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (golden{"6.1": row.was}).compare(parsed(t, sample)); !reflect.DeepEqual(got, row.want) {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
	}
}

func TestGoldenIsReadAsWritten(t *testing.T) {
	g := golden{"6.1": {"fentry/tcp_send": 1000, "fentry/tcp_page": 7}, "5.10": {"fentry/tcp_send": 900}}
	loaded := []outcome{{backend: "all", name: "verifier", result: "pass"}}
	g.accept(&results{kernel: "6.12-arm64", outcomes: loaded, insns: map[string]int{"sock-tracepoint/sock_send": 3}})
	g.accept(&results{kernel: "6.1", insns: map[string]int{"fentry/tcp_send": 1}})
	if g["6.12-arm64"] == nil || g["6.1"]["fentry/tcp_send"] != 1000 {
		t.Fatalf("%v: accepted is what the verifier passed, and nothing else", g)
	}
	path := filepath.Join(t.TempDir(), "verifier.txt")
	if err := os.WriteFile(path, []byte(g.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := readGolden(path)
	if err != nil || !reflect.DeepEqual(got, g) {
		t.Errorf("%v, %v, want %v; the file:\n%s", got, err, g, g)
	}
}

func TestClaims(t *testing.T) {
	for release, want := range map[string][]bool{ // fentry, sock-tracepoint, syscall-tracepoint
		"5.7.0-1-cloud-amd64":          {false, false, false},
		"5.10.0-32-cloud-amd64":        {true, false, true},
		"6.1.0-50-cloud-arm64":         {false, false, true},
		"6.12.107+deb13-cloud-arm64":   {true, true, true},
		"7.2.13+deb14-cloud-amd64":     {true, true, true},
		"not a release of any kernel-": {false, false, false},
	} {
		var got []bool
		for _, b := range backends() {
			got = append(got, claimed(release, b))
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", release, got, want)
		}
	}
}

func TestCells(t *testing.T) {
	r := parsed(t, sample)
	for cell, want := range map[[2]string]string{
		{"fentry", "TestSyscalls"}: "**no**", {"fentry", "io_uring"}: "–", {"fentry", "verifier"}: "yes",
		{"sock-tracepoint", "verifier"}: "–", {"fentry", "TestServers"}: "", {"syscall-tracepoint", "TestSyscalls"}: "yes",
	} {
		if got := r.cell(cell[0], cell[1]); got != want {
			t.Errorf("%v: %s, want %s", cell, got, want)
		}
	}
}

// TestSupportIsCurrent compares the documentation with the results that it shows.
func TestSupportIsCurrent(t *testing.T) {
	t.Chdir("../../..")
	doc, err := os.ReadFile(supportPath)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := readKept(resultsPath)
	if err != nil {
		t.Fatal(err)
	}
	want, err := replaceGenerated(string(doc), supportTable(kept))
	if err != nil {
		t.Fatal(err)
	}
	if string(doc) != want {
		t.Errorf("%s is not what %s says: make support", supportPath, resultsPath)
	}
}

// TestJudge: counts of a kernel of another series than that of the accepted ones fail nothing.
func TestJudge(t *testing.T) {
	const good = "release 7.3.4-cloud-amd64\nbackend fentry yes\nbackend sock-tracepoint yes\nbackend syscall-tracepoint yes\n" +
		"insns fentry tcp_send 120\ncase all kernel-log pass 0.1\n"
	accepted := golden{"newest": {"fentry/tcp_send": 100}}
	for _, c := range []struct {
		name, text, kept string
		wrong            bool
	}{
		{"a rise", good, "release 7.3.1-cloud-amd64\n", true},
		{"of another kernel", good, "release 7.2.9-cloud-amd64\n", false},
		{"of another kernel, which fails", good + "case fentry TestServers FAIL 1\n", "release 7.2.9-cloud-amd64\n", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, kept := parsed(t, c.text), parsed(t, c.kept)
			r.kernel, kept.kernel = "newest", "newest"
			if err := judge([]*results{r}, accepted, map[string]*results{"newest": kept}); (err != nil) != c.wrong {
				t.Errorf("%v", err)
			}
		})
	}
}
