// SPDX-License-Identifier: Apache-2.0

package pybin

import (
	"bufio"
	"fmt"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// maxMaps bounds the mappings of a process that are looked through.
const maxMaps = 4096

// find returns where a process has loaded CPython, and which Python 3 it is.
func find(pid uint32) (base uint64, minor int, err error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	// python3.11 and libpython3.11.so.1.0; not python3.13t, which has no global
	// lock, nor python3.11d. A program beside its library exports nothing.
	image := regexp.MustCompile(`^(?:(lib)python3\.(\d+)\.so(?:\.1\.0)?|python3\.(\d+))$`)
	lines := bufio.NewScanner(f)
	for i := 0; i < maxMaps && lines.Scan(); i++ {
		addresses, rest, _ := strings.Cut(lines.Text(), "-")
		fields := strings.Fields(rest) // end, access, offset, device, inode, path
		if len(fields) < 6 || fields[2] != "00000000" {
			continue
		}
		m := image.FindStringSubmatch(path.Base(fields[5]))
		if m == nil {
			continue
		}
		at, err := strconv.ParseUint(addresses, 16, 64)
		v, err2 := strconv.Atoi(m[2] + m[3])
		if _, known := versions[v]; err != nil || err2 != nil || !known {
			continue
		}
		if base == 0 || m[1] != "" {
			base, minor = at, v
		}
	}
	if base == 0 {
		return 0, 0, ErrNotPython
	}
	return base, minor, lines.Err()
}

// innerPID returns a process's id as the process itself sees it.
func innerPID(pid uint32) (uint64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if ids, ok := strings.CutPrefix(line, "NSpid:"); ok {
			f := strings.Fields(ids)
			if len(f) == 0 {
				break
			}
			return strconv.ParseUint(f[len(f)-1], 10, 64)
		}
	}
	return 0, fmt.Errorf("process %d has no NSpid", pid)
}
