// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	var agent fakeAgent
	code, out, _ := agent.execute(nil, "version")
	for _, want := range []string{"tracer-agent v1.2.3\n", "abc\n", "2026-01-02T03:04:05Z\n", "BPF ABI      7\n"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("exit %d, %q does not contain %q", code, out, want)
		}
	}
	if code, out, _ := agent.execute(nil, "--version"); code != 0 || !strings.Contains(out, "v1.2.3") {
		t.Errorf("--version: exit %d, %q", code, out)
	}
}

func TestBuildComplete(t *testing.T) {
	info := &debug.BuildInfo{
		Main: debug.Module{Version: "v0.9.0"},
		Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "def"}, {Key: "vcs.time", Value: "2026-05-06T00:00:00Z"}, {Key: "vcs.modified", Value: "true"},
		},
	}
	tests := []struct {
		name    string
		linker  Build
		info    *debug.BuildInfo
		version string
		commit  string
		date    string
	}{
		{"linker wins", Build{Version: "v1", Commit: "abc", Date: "today"}, info, "v1", "abc", "today"},
		{"from the Go tool", Build{}, info, "v0.9.0", "def with changes", "2026-05-06T00:00:00Z"},
		{"nothing known", Build{}, nil, "(devel)", "unknown", "unknown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.linker.complete(tt.info)
			if got.Version != tt.version || got.Commit != tt.commit || got.Date != tt.date {
				t.Errorf("got %+v", got)
			}
		})
	}
}
