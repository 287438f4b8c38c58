// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Glob matches the absolute path of an executable. `*` and `?` stop at a
// slash, `**` between slashes stands for any number of directories, and
// `[abc]` and `{this,that}` are as in a shell.
type Glob string

// UnmarshalText reads a Glob and refuses one that can match no absolute path.
func (g *Glob) UnmarshalText(text []byte) error {
	s := string(text)
	if err := checkPattern(s); err != nil {
		return err
	}
	if s != "**" && !strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "**/") && s[0] != '{' {
		return fmt.Errorf("%q matches no absolute path; did you mean %q?", s, "**/"+strings.TrimPrefix(s, "./"))
	}
	*g = Glob(s)
	return nil
}

// Match reports whether the whole path matches.
func (g Glob) Match(path string) bool {
	return doublestar.MatchUnvalidated(string(g), path)
}

// Pattern matches text that is not a path: a command line, a unit, a container
// name. It is written like a [Glob], but slashes mean nothing to it: `*` stands
// for any text and `?` for any one character.
type Pattern string

// UnmarshalText reads a Pattern.
func (p *Pattern) UnmarshalText(text []byte) error {
	if err := checkPattern(string(text)); err != nil {
		return err
	}
	*p = Pattern(text)
	return nil
}

// Match reports whether the whole text matches.
func (p Pattern) Match(text string) bool {
	// Without a separator in either, `*` has nothing to stop at.
	return doublestar.MatchUnvalidated(noSlash(string(p)), noSlash(text))
}

func noSlash(s string) string { return strings.ReplaceAll(s, "/", "\x01") }

func checkPattern(s string) error {
	if s == "" {
		return fmt.Errorf("an empty pattern matches nothing")
	}
	if !doublestar.ValidatePattern(s) {
		return fmt.Errorf("%q is not a valid pattern: unbalanced [ ] or { }, or a trailing backslash", s)
	}
	return nil
}
