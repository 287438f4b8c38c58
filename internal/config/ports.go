// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"strconv"
	"strings"
)

// PortRange is the ports First to Last, both included; First <= Last, and
// neither is zero.
type PortRange struct {
	First, Last uint16
}

// UnmarshalText reads "8080" or "9000-9010".
func (r *PortRange) UnmarshalText(text []byte) error {
	first, last, isRange := strings.Cut(string(text), "-")
	if !isRange {
		last = first
	}
	lo, errLo := parsePort(first)
	hi, errHi := parsePort(last)
	if errLo != nil || errHi != nil {
		return fmt.Errorf("%q is neither a port (1 to 65535) nor a range of ports such as 9000-9010", text)
	}
	if lo > hi {
		return fmt.Errorf("%q is an empty range; did you mean %d-%d?", text, hi, lo)
	}
	*r = PortRange{First: lo, Last: hi}
	return nil
}

func parsePort(s string) (uint16, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 16)
	if err == nil && n == 0 {
		return 0, strconv.ErrRange
	}
	return uint16(n), err
}

// String is the form that UnmarshalText reads.
func (r PortRange) String() string {
	if r.First == r.Last {
		return strconv.Itoa(int(r.First))
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

// MarshalText is the text of String; it never fails.
func (r PortRange) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Ports is a set of ports. The ranges may overlap.
type Ports []PortRange

// ParsePorts reads a comma-separated list: "8080,9000-9010".
func ParsePorts(list string) (Ports, error) {
	var ports Ports
	for part := range strings.SplitSeq(list, ",") {
		var r PortRange
		if err := r.UnmarshalText([]byte(strings.TrimSpace(part))); err != nil {
			return nil, err
		}
		ports = append(ports, r)
	}
	return ports, nil
}

// String is the comma-separated form that ParsePorts reads.
func (p Ports) String() string {
	parts := make([]string, len(p))
	for i, r := range p {
		parts[i] = r.String()
	}
	return strings.Join(parts, ",")
}
