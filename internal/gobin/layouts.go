// SPDX-License-Identifier: Apache-2.0

package gobin

const newestMinor = 27

// layouts returns what holds for Go 1.minor, false if that is not known.
func layouts(minor int) (layout, bool) {
	switch minor {
	case 26:
		return layout{
			g:    GLayout{Goid: 152, ParentGoid: 280},
			conn: ConnLayout{Conn: 80, Sysfd: 16, ItabHash: 16, TCPConn: 1140716473, UnixConn: 3389153891, TLSConn: 961574641},
		}, true
	}
	return layout{}, false
}
