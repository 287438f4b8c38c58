// SPDX-License-Identifier: Apache-2.0

// Package caps reads the Linux capabilities of this process and gives up those
// that only starting needed (capabilities(7)).
package caps

import (
	"fmt"
	"math/bits"
	"strings"

	"golang.org/x/sys/unix"
)

// Set is a set of capabilities: bit n is capability number n.
type Set uint64

// Of returns the set of the capabilities with these numbers (unix.CAP_BPF and so on).
func Of(numbers ...int) Set {
	var s Set
	for _, n := range numbers {
		s |= 1 << n
	}
	return s
}

// Has reports whether all of other is in s.
func (s Set) Has(other Set) bool { return s&other == other }

// String lists the capabilities as capabilities(7) writes them, separated by
// commas; "none" for the empty set.
func (s Set) String() string {
	if s == 0 {
		return "none"
	}
	var out []string
	for rest := uint64(s); rest != 0; rest &= rest - 1 {
		out = append(out, name(bits.TrailingZeros64(rest)))
	}
	return strings.Join(out, ",")
}

// names are those of include/uapi/linux/capability.h, in its order.
const names = "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE " +
	"NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE " +
	"SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE " +
	"AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"

// name is that of capability n. One newer than this list is called by its number.
func name(n int) string {
	if known := strings.Fields(names); n < len(known) {
		return "CAP_" + known[n]
	}
	return fmt.Sprintf("CAP_%d", n)
}

// held is what one thread has.
type held struct {
	effective, permitted Set
}

// Effective returns what the calling thread may use.
func Effective() (Set, error) {
	h, err := read()
	return h.effective, err
}

// Permitted returns what the calling thread may make effective.
func Permitted() (Set, error) {
	h, err := read()
	return h.permitted, err
}

func read() (held, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return held{}, fmt.Errorf("read capabilities: %w", err)
	}
	return held{
		effective: Set(data[1].Effective)<<32 | Set(data[0].Effective),
		permitted: Set(data[1].Permitted)<<32 | Set(data[0].Permitted),
	}, nil
}
