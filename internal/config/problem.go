// SPDX-License-Identifier: Apache-2.0

package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Place is where a value was written.
type Place struct {
	// Source is a file, a flag ("--port") or an environment variable; ""
	// for a Config that was not loaded.
	Source string
	// Line and Column count from 1; zero unless Source is a file that could
	// be read.
	Line, Column int
}

// String is "file:line:column", or the source alone without a line.
func (p Place) String() string {
	if p.Line == 0 {
		return p.Source
	}
	return fmt.Sprintf("%s:%d:%d", p.Source, p.Line, p.Column)
}

// MarshalText is the text of String; it never fails.
func (p Place) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	// Where it was written.
	Where Place `json:"where"`
	// Path of the value, such as "instrument[0].ports[1]". Empty if the
	// problem is with the place as a whole.
	Path string `json:"path,omitempty"`
	// Message says what is wrong and what would be right.
	Message string `json:"message"`
}

// String is "where: path: message" without what is empty. The path is also left
// out for a flag: the user did not write it.
func (p Problem) String() string {
	text := p.Message
	if p.Path != "" && !strings.HasPrefix(p.Where.Source, "--") {
		text = p.Path + ": " + text
	}
	if where := p.Where.String(); where != "" {
		text = where + ": " + text
	}
	return text
}

// Problems is everything that is wrong with a configuration. As an error it is
// one line for each.
type Problems []Problem

// Error is the problems, one per line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

// sort orders p by line and column; what has none keeps its order, first.
func (p Problems) sort() {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(a.Where.Line-b.Where.Line, a.Where.Column-b.Where.Column)
	})
}

// err is p as an error: nil when there is no problem.
func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}
