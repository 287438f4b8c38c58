// SPDX-License-Identifier: Apache-2.0

package gobin

import (
	"debug/elf"
	"testing"
)

func TestRelease(t *testing.T) {
	for _, tt := range []struct {
		version string
		minor   int
		plain   bool
	}{
		{"go1.26.8", 26, true},
		{"go1.18", 18, true},
		{"go1.21.0", 21, true},
		{"go1.9.7", 9, true},
		{"go1.21.9 (Red Hat 1.21.9-1.el9_4)", 21, true},
		{"go1.20.5 X:boringcrypto", 20, true},
		{"go1.23.1 X:nocoverageredesign", 23, true},
		{"go1.23.1 (Distributor 7) X:nocoverageredesign,boringcrypto", 23, true},
		{"go1.27.4-X:boringcrypto", 27, true},
		{"go1.27.4-X:boringcrypto,other", 27, false},
		{"go1.25.1 X:other", 25, false},
		{"go1.25.1 X:", 25, false},
		{"go1.25.1 fork", 25, false},
		{"go1.22.1 X:boringcrypto,other", 22, false},
		{"go1.22rc1", 22, false},
		{"go1.22.1rc1", 22, false},
		{"go1.22.", 22, false},
		{"go1.22.1.2", 22, false},
		{"go1.22-20240109-RC01", 22, false},
		{"go1.26-devel_6e676ab2b8 Mon Jan 1", 26, false},
		{"devel go1.23-0a5b33a883 Fri Mar 1", 23, false},
		{"devel +b7a85e0003 Mon Jan 1", 0, false},
		{"go1.", 0, false},
		{"go1.99999999999999999999", 0, false},
		{"go2.3", 0, false},
		{"", 0, false},
	} {
		if minor, plain := release(tt.version); minor != tt.minor || plain != tt.plain {
			t.Errorf("release(%q) = %d, %v; want %d, %v", tt.version, minor, plain, tt.minor, tt.plain)
		}
	}
}

func TestRegisterArguments(t *testing.T) {
	for minor := range 30 {
		if got := registerArguments(minor, elf.EM_X86_64); got != (minor >= 17) {
			t.Errorf("Go 1.%d on amd64: %v", minor, got)
		}
		if got := registerArguments(minor, elf.EM_AARCH64); got != (minor >= 18) {
			t.Errorf("Go 1.%d on arm64: %v", minor, got)
		}
	}
}

// The table is complete and made of offsets that can be.
func TestLayouts(t *testing.T) {
	for minor := range newestMinor + 2 {
		l, ok := layouts(minor)
		if want := minor >= 17 && minor <= newestMinor; ok != want {
			t.Errorf("Go 1.%d: known is %v, want %v", minor, ok, want)
		}
		if !ok {
			continue
		}
		if l.g.Goid == 0 || l.g.Goid%8 != 0 || (l.g.ParentGoid != 0) != (minor >= 21) || l.g.ParentGoid%8 != 0 {
			t.Errorf("Go 1.%d: %+v", minor, l.g)
		}
		if c := l.conn; c.Conn == 0 || c.Conn%8 != 0 || c.Sysfd%8 != 0 || c.TCPConn == 0 || c.UnixConn == 0 || c.TLSConn == 0 || c.TCPConn == c.UnixConn {
			t.Errorf("Go 1.%d: %+v", minor, c)
		}
	}
	if _, ok := layouts(-1); ok {
		t.Error("Go 1.-1 is known")
	}
}
