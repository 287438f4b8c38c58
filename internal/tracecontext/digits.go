// SPDX-License-Identifier: Apache-2.0

package tracecontext

import "math"

// noNibble is nibble's answer for a byte that is no hexadecimal digit.
const noNibble = 0xff

// lowerDigits has the value of each lower-case hexadecimal digit, noNibble for
// other bytes. It is never written to.
var lowerDigits = lowerDigitTable()

func lowerDigitTable() (t [256]byte) {
	for i := range t {
		t[i] = noNibble
	}
	for i, c := range []byte("0123456789abcdef") {
		t[c] = byte(i)
	}
	return t
}

// nibble returns the value of a hexadecimal digit of either case.
func nibble(c byte) byte {
	if c-'A' <= 5 {
		return c - 'A' + 10
	}
	return lowerDigits[c]
}

// decodeLowerHex fills dst with src, which must be exactly as long and in lower case.
func decodeLowerHex(dst, src []byte) bool {
	if len(src) != 2*len(dst) {
		return false
	}
	var seen byte
	for i := range dst {
		hi, lo := lowerDigits[src[2*i]], lowerDigits[src[2*i+1]]
		seen |= hi | lo
		dst[i] = hi<<4 | lo
	}
	return seen <= 0xf
}

// decodeHex fills dst with src, 1 to 2*len(dst) digits of either case, padded
// with zeros on the left.
func decodeHex(dst, src []byte) bool {
	if len(src) == 0 || len(src) > 2*len(dst) {
		return false
	}
	clear(dst)
	var seen byte
	for i := range src {
		n := nibble(src[len(src)-1-i])
		seen |= n
		dst[len(dst)-1-i/2] |= n << (4 * (i & 1))
	}
	return seen <= 0xf
}

// decodeTraceID reads the two lengths that B3 and OT Trace allow.
func decodeTraceID(dst *[16]byte, src []byte) bool {
	return (len(src) == 16 || len(src) == 32) && decodeHex(dst[:], src) && *dst != [16]byte{}
}

// decodeSpanID reads 16 digits that are not all zero.
func decodeSpanID(dst *[8]byte, src []byte) bool {
	return len(src) == 16 && decodeHex(dst[:], src) && *dst != [8]byte{}
}

// decimalDigits is the length of the largest unsigned 64-bit number.
const decimalDigits = 20

// decodeDecimal reads an unsigned 64-bit number without a sign.
func decodeDecimal(src []byte) (uint64, bool) {
	if len(src) == 0 || len(src) > decimalDigits {
		return 0, false
	}
	var n uint64
	for _, c := range src {
		d := uint64(c - '0')
		if d > 9 || n > (math.MaxUint64-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}
