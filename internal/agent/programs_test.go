// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"log/slog"
	"os"
	"testing"

	"github.com/tracer-agent/tracer-agent/internal/link"
)

// TestProgramOfTheEnded: of a process that is over nothing is kept, though it can
// still be told what it ran; its number may be another's next.
func TestProgramOfTheEnded(t *testing.T) {
	for _, runs := range []bool{true, false} {
		s := newPrograms(nil, false, slog.New(slog.DiscardHandler))
		s.runs = func(uint32) bool { return runs }
		self := uint32(os.Getpid())
		if kind := s.kind(self); kind != link.GoProgram {
			t.Errorf("runs %t: kind %v, want that of Go programs", runs, kind)
		}
		if kept := s.byTGID[self] != nil; kept != runs {
			t.Errorf("runs %t: kept %t", runs, kept)
		}
	}
}
