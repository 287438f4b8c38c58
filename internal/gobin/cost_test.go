// SPDX-License-Identifier: Apache-2.0

package gobin

import (
	"os"
	"runtime"
	"testing"
)

// The agent inspects every new executable: it must not take a file into memory,
// nor read what it does not need.
func TestCost(t *testing.T) {
	const maxMemory = 1 << 20
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	stat, err := self.Stat()
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	file := &patched{ReaderAt: self}
	runtime.ReadMemStats(&before)
	info, err := Inspect(file)
	runtime.ReadMemStats(&after)
	if err != nil || info.G == (GLayout{}) {
		t.Fatalf("%+v, %v", info, err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > maxMemory {
		t.Errorf("%d bytes allocated, at most %d", used, maxMemory)
	}
	if file.read > stat.Size()/3 {
		t.Errorf("%d bytes read of %d", file.read, stat.Size())
	}
}

func BenchmarkInspect(b *testing.B) {
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		b.Fatal(err)
	}
	defer self.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Inspect(self); err != nil {
			b.Fatal(err)
		}
	}
}
