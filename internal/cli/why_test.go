// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/tracer-agent/tracer-agent/internal/config"
)

func tracedAnswer() Explanation {
	return Explanation{
		PID: 1234, Exe: "/usr/sbin/nginx", Traced: true, Rule: "instrument[0]", Service: "shop",
		Reason: "instrument[0] matches and nothing excludes it",
		Entries: []Entry{
			{Path: "exclude[0]", Matches: No, Criteria: []Criterion{
				{Key: "exe", Want: "/usr/bin/otelcol*", Have: "/usr/sbin/nginx", Matches: No},
			}},
			{Path: "instrument[0]", Name: "shop", Matches: Yes, Criteria: []Criterion{
				{Key: "ports", Want: "8080,9000-9010", Have: "8080", Matches: Yes},
				{Key: "exe", Want: "/usr/sbin/nginx", Have: "/usr/sbin/nginx", Matches: Yes},
			}},
		},
	}
}

func TestWhy(t *testing.T) {
	answers := map[string]Explanation{
		"traced": tracedAnswer(),
		"not-traced": {
			PID: 7, Reason: "no instrument entry matches",
			Entries: []Entry{{Path: "instrument[0]", Matches: Unknown, Criteria: []Criterion{
				{Key: "ports", Want: "8080", Matches: No},
				{Key: "cmdline", Want: "*x*", Matches: Unknown},
			}}},
			Hints: []string{"To trace it: tracer-agent run --pid 7", "It may start to listen later."},
		},
		"bare": {PID: 1},
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			agent := fakeAgent{answer: answer}
			code, out, errOut := agent.execute(nil, "why", "1234", "--port", "8080")
			if code != 0 || errOut != "" || agent.pid != 1234 {
				t.Errorf("exit %d, stderr %q, pid %d", code, errOut, agent.pid)
			}
			if want := (config.Ports{{First: 8080, Last: 8080}}); !reflect.DeepEqual(agent.cfg.Instrument[0].Ports, want) {
				t.Errorf("asked about %+v", agent.cfg.Instrument)
			}
			golden(t, "why-"+name+".txt", out)
		})
	}
}

func TestWhyJSON(t *testing.T) {
	agent := fakeAgent{answer: tracedAnswer()}
	_, out, _ := agent.execute(nil, "why", "1234", "--output", "json")
	var got Explanation
	if err := json.Unmarshal([]byte(out), &got); err != nil || !reflect.DeepEqual(got, tracedAnswer()) {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestWhyFails(t *testing.T) {
	agent := fakeAgent{err: errors.New("there is no process 1234")}
	code, _, errOut := agent.execute(nil, "why", "1234")
	if code != 1 || errOut != "tracer-agent: there is no process 1234\n" {
		t.Errorf("exit %d, stderr %q", code, errOut)
	}
}
