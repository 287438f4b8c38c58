// SPDX-License-Identifier: Apache-2.0

package harness

import "testing"

func TestCases(t *testing.T) {
	got, err := Cases("go,body,unselected", 100)
	if err != nil || len(got) != 7 || got[0].Name != "go" || got[5].Name != "body-1G" || got[5].Requests != 2 || !got[6].Unselected {
		t.Errorf("%v: %+v", err, got)
	}
	for _, list := range []string{"", "nginx,nothing", "nginx,"} {
		if got, err := Cases(list, 0); err == nil {
			t.Errorf("%q: %+v, want an error", list, got)
		}
	}
}

func TestAgentCommand(t *testing.T) {
	s := Settings{Agent: DefaultCommand, AgentFile: "/bin/agent"}
	if got, want := s.agentCommand(80, 81, "--exe x"), "/bin/agent run --port 80 --backend auto --metrics-listen 127.0.0.1:81 --exe x"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestSides(t *testing.T) {
	s := Settings{Agent: "{agent} a", AgentFile: "x", Ready: "ready", Vs: "{agent} b", VsFile: "y"}
	sides := s.sides()
	if len(sides) != 2 || sides[0].agentCommand(1, 2, "") != "x a" || sides[1].agentCommand(1, 2, "") != "y b" || sides[1].Ready != "" {
		t.Errorf("sides: %+v", sides)
	}
}
