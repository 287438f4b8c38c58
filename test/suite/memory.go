// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
)

// Memory returns all readable memory of the program that is not a file's: what
// the kernel put into rings that it maps is in it, read or not.
func (p *Process) Memory(t testing.TB) []byte {
	t.Helper()
	return p.memory(t, func(mapping string) bool {
		return !strings.HasPrefix(mapping, "/") && mapping != "[vvar]" && mapping != "[vsyscall]"
	})
}

// Rings returns what is in the BPF maps that the program has mapped: the rings that
// the kernel writes its records to, as far back as they have not been written over.
func (p *Process) Rings(t testing.TB) []byte {
	t.Helper()
	return p.memory(t, func(mapping string) bool { return mapping == "anon_inode:bpf-map" })
}

// memory returns what can be read of the mappings whose names are wanted.
func (p *Process) memory(t testing.TB, wanted func(mapping string) bool) []byte {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", p.PID()))
	if err != nil {
		t.Fatal(err)
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", p.PID()))
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	var all bytes.Buffer
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		var perms, offset, dev, inode, name string
		fmt.Sscanf(line, "%x-%x %s %s %s %s %s", &from, &to, &perms, &offset, &dev, &inode, &name) // without a name the last fails
		if !strings.HasPrefix(perms, "r") || !wanted(name) {
			continue
		}
		part := make([]byte, to-from)
		n, _ := mem.ReadAt(part, from) // pages that cannot be read hold nothing
		all.Write(part[:n])
	}
	if all.Len() == 0 {
		t.Fatalf("none of the memory of %s could be read", p.Name)
	}
	return all.Bytes()
}
