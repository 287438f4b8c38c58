// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// globProblem says what keeps glob from matching any absolute path, "" for
// nothing. docs/configuration.md tells how globs are written.
func globProblem(glob string) string {
	if problem := patternProblem(glob); problem != "" {
		return problem
	}
	if glob != "**" && !strings.HasPrefix(glob, "/") && !strings.HasPrefix(glob, "**/") && glob[0] != '{' {
		return fmt.Sprintf("%q matches no absolute path; did you mean %q?", glob, "**/"+strings.TrimPrefix(glob, "./"))
	}
	return ""
}

// patternProblem says what is wrong with a glob or text pattern, "" for nothing.
func patternProblem(pattern string) string {
	if pattern == "" {
		return "an empty pattern matches nothing"
	}
	if !doublestar.ValidatePattern(pattern) {
		return fmt.Sprintf("%q is not a valid pattern: unbalanced [ ] or { }, or a trailing backslash", pattern)
	}
	return ""
}
