// SPDX-License-Identifier: Apache-2.0

package spanbuilder

const (
	maxText  = 256 // bytes of a text that is kept
	maxTexts = 256 // a power of two
)

// texts turns bytes into strings and keeps recent ones: most requests have
// their host, user agent, addresses and often the path in common with others.
// Spans then share the memory, and the exporter sees at once what is the same.
type texts struct {
	kept [maxTexts]string // by slot
}

// of returns b as a string.
func (t *texts) of(b []byte) string {
	if len(b) == 0 || len(b) > maxText {
		return string(b)
	}
	kept := &t.kept[slot(b)]
	if *kept != string(b) { // the compiler does not allocate here
		*kept = string(b)
	}
	return *kept
}

// slot spreads texts by their length and a few of their bytes.
func slot(b []byte) uint {
	n := len(b)
	return (uint(n)*37 + uint(b[n-1])*17 + uint(b[n/2])*5 + uint(b[n*3/4])) % maxTexts
}
