// SPDX-License-Identifier: Apache-2.0

//go:build links

package links

import (
	"bytes"
	"fmt"
	"os"
	"testing"
)

// TestNotLookedInto: where processes are not to be looked into, no link rests on
// what is in them, no code of theirs is touched, and no link is wrong.
func TestNotLookedInto(t *testing.T) {
	for _, r := range []*subject{
		{name: "go", shape: Work(pause, "seq"), start: goService(goBuild{cgo: "0"})},
		{name: "aiohttp", shape: Work(pause, "seq"), start: python("aio.py")},
	} {
		t.Run(r.name, func(t *testing.T) {
			w := &world{site: newSite(t)}
			w.service = r.start(t, w.site)
			before := text(t, w.service.PID())
			w.agent = startAgent(t, newSink(t), agentOptions{block: w.block, config: "linking: {look_into_processes: false}\n"})
			score := w.measure(t, Plan("a", 400, 3, true, r.shape), 8)
			if n := score.Evidence["goroutine"] + score.Evidence["task"]; n != 0 {
				t.Errorf("%d links rest on what is in the process: %v", n, score.Evidence)
			}
			if len(score.Mistakes) != 0 || score.Missing != 0 || score.Exchanges.Right != score.Exchanges.Expected {
				t.Errorf("%+v", score)
			}
			if !bytes.Equal(before, text(t, w.service.PID())) {
				t.Error("the program's code was changed")
			}
		})
	}
}

// text returns the first mapped code of a process as it is in memory.
func text(t *testing.T, pid int) []byte {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(maps) {
		var from, to int64
		var mode string
		if _, err := fmt.Sscanf(string(line), "%x-%x %s", &from, &to, &mode); err != nil || mode != "r-xp" {
			continue
		}
		mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
		if err != nil {
			t.Fatal(err)
		}
		defer mem.Close()
		code := make([]byte, to-from)
		if _, err := mem.ReadAt(code, from); err != nil {
			t.Fatal(err)
		}
		return code
	}
	t.Fatal("no code is mapped")
	return nil
}
