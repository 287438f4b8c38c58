// SPDX-License-Identifier: Apache-2.0

package route

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func compile(t testing.TB, patterns ...string) *Set {
	t.Helper()
	s, err := Compile(patterns)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestMatch(t *testing.T) {
	shop := []string{"/", "/users", "/users/{id}", "/users/me", "/users/{id}/orders/{order}", "/users/me/settings",
		"/files/{path...}", "/files/public/{path...}", "/files/{name}/meta", "/trailing/"}
	for _, c := range []struct {
		name     string
		patterns []string
		path     string
		want     string
	}{
		{"root", shop, "/", "/"},
		{"literal", shop, "/users", "/users"},
		{"wildcard", shop, "/users/17", "/users/{id}"},
		{"literal wins", shop, "/users/me", "/users/me"},
		{"two wildcards", shop, "/users/17/orders/4", "/users/{id}/orders/{order}"},
		{"back from the literal", shop, "/users/me/orders/4", "/users/{id}/orders/{order}"},
		{"literal again", shop, "/users/me/settings", "/users/me/settings"},
		{"between patterns", shop, "/users/17/orders", ""},
		{"beyond patterns", shop, "/users/17/orders/4/x", ""},
		{"empty segment is no id", shop, "/users/", ""},
		{"empty segment inside", shop, "/users//orders/4", ""},
		{"trailing slash counts", shop, "/trailing", ""},
		{"trailing slash", shop, "/trailing/", "/trailing/"},
		{"rest", shop, "/files/a", "/files/{path...}"},
		{"rest of several", shop, "/files/a/b/c", "/files/{path...}"},
		{"rest of nothing", shop, "/files/", "/files/{path...}"},
		{"rest needs the slash", shop, "/files", ""},
		{"longest prefix", shop, "/files/public/a", "/files/public/{path...}"},
		{"wildcard over rest", shop, "/files/a/meta", "/files/{name}/meta"},
		{"back to the shorter rest", shop, "/files/public", "/files/{path...}"},
		{"case counts", shop, "/Users", ""},
		{"nothing else", shop, "/orders", ""},
		{"asterisk form", shop, "*", ""},
		{"empty", shop, "", ""},
		{"authority form", shop, "host:80", ""},
		{"everything", []string{"/{all...}"}, "/a/b", "/{all...}"},
		{"everything, root", []string{"/{all...}"}, "/", "/{all...}"},
		{"no patterns", nil, "/", ""},
		{"encoded path", []string{"/caf%C3%A9"}, "/caf%c3%a9", "/caf%C3%A9"},
		{"needlessly encoded path", shop, "/%75sers/17", "/users/{id}"},
		{"pattern in UTF-8", []string{"/café"}, "/caf%C3%A9", "/café"},
		{"encoded slash", []string{"/a/b", "/{x}"}, "/a%2Fb", "/{x}"},
		{"encoded slash in pattern", []string{"/a%2fb"}, "/a%2Fb", "/a%2fb"},
		{"malformed encoding", []string{"/a/{x}", "/a/b"}, "/a/b%", "/a/{x}"},
		{"encoded wildcard value", shop, "/users/%zz", "/users/{id}"},
		{"overlong segment", []string{"/a", "/{x}"}, "/%61" + strings.Repeat("a", 300), "/{x}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			patterns := slices.Clone(c.patterns)
			got, ok := compile(t, patterns...).Match(c.path)
			if got != c.want || ok != (c.want != "") {
				t.Errorf("Match(%q) = %q, %v, want %q", c.path, got, ok, c.want)
			}
			slices.Reverse(patterns)
			if got, _ := compile(t, patterns...).Match(c.path); got != c.want {
				t.Errorf("patterns reversed: Match(%q) = %q, want %q", c.path, got, c.want)
			}
		})
	}
}

func TestNilSet(t *testing.T) {
	if r, ok := (*Set)(nil).Match("/"); ok || r != "" {
		t.Errorf("Match = %q, %v", r, ok)
	}
}

func TestCompileErrors(t *testing.T) {
	for _, c := range []struct {
		name, pattern string
		offset        int
		reason        string
	}{
		{"empty", "", 0, "slash"},
		{"method", "GET /users", 0, "slash"},
		{"query", "/users?id={id}", 6, "'?'"},
		{"fragment", "/users#top", 6, "'#'"},
		{"space", "/a b", 2, "' '"},
		{"empty segment", "/a//b", 3, "empty"},
		{"no closing brace", "/a/{id", 3, "brace"},
		{"no opening brace", "/a/id}", 5, "whole segment"},
		{"closing brace first", "/a/}id{", 3, "brace"},
		{"text before", "/a/x{id}", 4, "whole segment"},
		{"text after", "/a/{id}.json", 7, "whole segment"},
		{"two wildcards", "/a/{x}{y}", 6, "whole segment"},
		{"no name", "/a/{}", 4, "named"},
		{"no name for the rest", "/a/{...}", 4, "named"},
		{"expression", "/a/{id:[0-9]+}", 6, "named"},
		{"rest inside", "/a/{x...}/b", 3, "last"},
		{"rest before a slash", "/a/{x...}/", 3, "last"},
		{"name twice", "/a/{x}/{x}", 7, `"x"`},
		{"name twice with rest", "/a/{x}/{x...}", 7, `"x"`},
		{"colon", "/a/:id", 3, "{id}"},
		{"asterisk", "/a/*", 3, "{name...}"},
		{"two asterisks", "/a/**/b", 3, "{name...}"},
		{"encoding", "/a/%4", 3, "percent"},
		{"long segment", "/" + strings.Repeat("a", 256), 256, "longer"},
		{"equal shape", "/ok/{other}", 0, `"/ok/{id}"`},
		{"equal", "/ok/{id}", 0, `"/ok/{id}"`},
		{"equal rest", "/ok/{more...}", 4, `"/ok/{rest...}"`},
		{"equal after decoding", "/%6fk", 0, `"/ok"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Compile([]string{"/ok", "/ok/{id}", "/ok/{rest...}", c.pattern})
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("error = %v", err)
			}
			if e.Index != 3 || e.Pattern != c.pattern || e.Offset != c.offset || !strings.Contains(e.Reason, c.reason) {
				t.Errorf("error = %v", err)
			}
		})
	}
}

func TestCompileReportsAll(t *testing.T) {
	_, err := Compile([]string{"a", "/ok", "/{"})
	if err == nil {
		t.Fatal("no error")
	}
	want := "route pattern 0 \"a\": at byte 0: does not start with a slash\n" +
		"route pattern 2 \"/{\": at byte 1: brace without a partner"
	if err.Error() != want {
		t.Errorf("error = %v, want %v", err, want)
	}
}

func TestMatchDoesNotAllocate(t *testing.T) {
	s := compile(t, "/users/{id}", "/users/me/settings", "/files/{path...}")
	for _, path := range []string{"/users/17", "/users/me/other", "/files/a/b", "/%75sers/17", "/none"} {
		if n := testing.AllocsPerRun(100, func() { s.Match(path) }); n != 0 {
			t.Errorf("Match(%q): %v allocations", path, n)
		}
	}
}

// FuzzMatch checks that a compiled pattern matches itself with its wildcards
// replaced, that what Match returns is one of the patterns, and its shape fits.
func FuzzMatch(f *testing.F) {
	f.Add("/users/{id}", "/users/me", "/users/{x}/{rest...}", "17", "/users/17")
	f.Add("/a/%2f/{x}", "/{y}", "/b", "%", "//")
	f.Fuzz(func(t *testing.T, a, b, c, value, path string) {
		patterns := []string{a, b, c}
		s, err := Compile(patterns)
		if err != nil {
			return
		}
		if r, ok := s.Match(path); ok && (!slices.Contains(patterns, r) || !fits(r, path)) {
			t.Errorf("%q: Match(%q) = %q", patterns, path, r)
		}
		if value == "" || strings.Contains(value, "/") {
			return
		}
		for _, p := range patterns {
			self := substitute(p, value)
			if r, ok := compile(t, p).Match(self); !ok || r != p {
				t.Errorf("alone: Match(%q) = %q, %v, want %q", self, r, ok, p)
			}
			if r, ok := s.Match(self); !ok || !fits(r, self) {
				t.Errorf("%q: Match(%q) = %q, %v", patterns, self, r, ok)
			}
		}
	})
}

// substitute replaces the wildcards of pattern by value.
func substitute(pattern, value string) string {
	segments := strings.Split(pattern, "/")
	for i, s := range segments {
		if strings.HasPrefix(s, "{") {
			segments[i] = value
		}
	}
	return strings.Join(segments, "/")
}

// fits is a plain second opinion on whether path matches pattern.
func fits(pattern, path string) bool {
	ps, ss := strings.Split(pattern, "/"), strings.Split(path, "/")
	for i, p := range ps {
		switch {
		case i >= len(ss):
			return false
		case strings.HasSuffix(p, "...}"):
			return true
		case strings.HasPrefix(p, "{"):
			if ss[i] == "" {
				return false
			}
		case decoded(p) != decoded(ss[i]):
			return false
		}
	}
	return len(ps) == len(ss)
}

// decoded undoes percent-encoding where it is well-formed.
func decoded(s string) string {
	b, bad := decode(make([]byte, 0, len(s)), s)
	if bad >= 0 {
		return s
	}
	return string(b)
}

func BenchmarkMatch(b *testing.B) {
	s := compile(b, "/users/{id}", "/users/me", "/users/{id}/orders/{order}", "/files/{path...}", "/health")
	b.ReportAllocs()
	for b.Loop() {
		s.Match("/users/1234/orders/5678")
	}
}
