// SPDX-License-Identifier: Apache-2.0

package config

import "strings"

// Nearest returns the candidate that word was most likely meant to be: the one
// with the fewest insertions, deletions, substitutions and swaps of neighbours
// between them, letter case and the choice of "-" or "_" not counted. A word
// that was cut short or drawn out at its end counts as one change. Of equals the
// one with the fewest changes otherwise counted wins, then the first. It returns "" if none is near.
func Nearest(word string, candidates []string) string {
	best, bestDistance, bestWhole := "", max(2, len(word)/3)+1, 0
	for _, c := range candidates {
		d := distance(fold(word), fold(c))
		whole := d
		if min(len(word), len(c)) >= 3 && (strings.HasPrefix(fold(word), fold(c)) || strings.HasPrefix(fold(c), fold(word))) {
			d = min(d, 1)
		}
		if (d < bestDistance || d == bestDistance && whole < bestWhole) && d < len(c) {
			best, bestDistance, bestWhole = c, d, whole
		}
	}
	return best
}

func fold(s string) string {
	return strings.ReplaceAll(strings.ToLower(s), "-", "_")
}

// distance is the optimal string alignment distance of a and b in bytes.
func distance(a, b string) int {
	var before []int // row i-2
	prev := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev = prev, row
	}
	return prev[len(b)]
}
