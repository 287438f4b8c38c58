// SPDX-License-Identifier: Apache-2.0

package pybin

import "encoding/binary"

// maxEntries bounds the dicts that are looked through. sys.modules of the
// largest programs has some thousand.
const maxEntries = 16384

// lookup returns the value of a key in a dict whose keys are strings, 0 if there is none.
func (in *interpreter) lookup(dict uint64, name string) uint64 {
	entries, n, width := in.entries(dict)
	if n == 0 || n > maxEntries {
		return 0
	}
	table := make([]byte, n*width)
	in.read(table, entries)
	for ; len(table) > 0 && in.err == nil; table = table[width:] {
		last := table[width-16 : width] // key, value
		key, value := binary.LittleEndian.Uint64(last), binary.LittleEndian.Uint64(last[8:])
		if key != 0 && value != 0 && in.is(key, name) {
			return value
		}
	}
	return 0
}

// entries returns where a dict's entries start, how many there are and how wide they are.
func (in *interpreter) entries(dict uint64) (start uint64, n, width int) {
	keys := in.word(dict + dictKeys)
	var head [40]byte
	in.read(head[:], keys)
	le := binary.LittleEndian
	if in.oldKeys { // reference count, size, function, usable, entries
		size := le.Uint64(head[8:])
		index := size
		if size > 0xff {
			index *= 2
		}
		if size > 0xffff {
			return 0, 0, 0
		}
		return keys + 40 + index, bounded(le.Uint64(head[32:])), 24
	}
	width = 24 // hash, key, value
	if kind := head[10]; kind == 1 {
		width = 16 // keys that are strings know their hash
	} else if kind != 0 {
		return 0, 0, 0
	}
	if head[9] > 20 { // log2 of the bytes of the table
		return 0, 0, 0
	}
	return keys + 32 + 1<<head[9], bounded(le.Uint64(head[24:])), width
}

func bounded(n uint64) int { return int(min(n, maxEntries+1)) }

// is says whether an object is the ASCII string s.
func (in *interpreter) is(object uint64, s string) bool {
	b := make([]byte, int(in.text)+len(s))
	if in.read(b, object); binary.LittleEndian.Uint64(b[textLength:]) != uint64(len(s)) {
		return false
	}
	return string(b[in.text:]) == s
}
