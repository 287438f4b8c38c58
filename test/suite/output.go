// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"bytes"
	"strings"
	"sync"
)

// Output collects what a program prints. Safe for concurrent use.
type Output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

// String returns all that was printed so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// Tail returns the end of a log, or of a crash the beginning, in about n bytes.
func Tail(s string, n int) string {
	for _, mark := range []string{"\npanic: ", "\nfatal error: ", "\nWARNING: DATA RACE"} {
		if at := strings.Index(s, mark); at >= 0 {
			return s[at:min(len(s), at+n)]
		}
	}
	if len(s) <= n {
		return s
	}
	return "..." + s[len(s)-n:]
}
