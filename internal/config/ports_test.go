// SPDX-License-Identifier: Apache-2.0

package config

import "testing"

func TestParsePorts(t *testing.T) {
	ports, err := ParsePorts("8080, 9000-9010,65535")
	if err != nil {
		t.Fatal(err)
	}
	if got := ports.String(); got != "8080,9000-9010,65535" {
		t.Errorf("String() = %s", got)
	}
}

func TestParsePortsRefuses(t *testing.T) {
	for _, list := range []string{"", ",", "80,", "0", "65536", "-1", "80-", "-80", "90-80", "1-2-3", "http", "0x50", "8_0", "+80"} {
		if ports, err := ParsePorts(list); err == nil {
			t.Errorf("ParsePorts(%q) = %v, want an error", list, ports)
		}
	}
}
