// SPDX-License-Identifier: Apache-2.0

package config

import "testing"

func TestNearest(t *testing.T) {
	candidates := []string{"request_head_bytes", "response_head_bytes", "redact_query", "exe", "pids", "warn", "w3c"}
	tests := []struct{ word, want string }{
		{"request_head_byte", "request_head_bytes"},
		{"response-head-bytes", "response_head_bytes"},
		{"redact_qurey", "redact_query"},
		{"REDACT_QUERY", "redact_query"},
		{"pid", "pids"},
		{"warning", "warn"},
		{"xe", "exe"},
		{"w3", "w3c"},
		{"zzz", ""},
		{"", ""},
		{"completely different", ""},
	}
	for _, tt := range tests {
		if got := Nearest(tt.word, candidates); got != tt.want {
			t.Errorf("Nearest(%q) = %q, want %q", tt.word, got, tt.want)
		}
	}
}

func TestDistance(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"abc", "", 3}, {"", "ab", 2}, {"abc", "abc", 0},
		{"abc", "acb", 1}, {"abc", "abd", 1}, {"abc", "ab", 1}, {"ab", "abc", 1},
		{"ca", "abc", 3}, {"kitten", "sitting", 3},
	}
	for _, tt := range tests {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
