// SPDX-License-Identifier: Apache-2.0

package redact

import "strings"

// Redacted stands where a secret was.
const Redacted = "REDACTED"

// Query returns rawQuery, the part of a request target after its first question
// mark, with the values of secret keys replaced by REDACTED. Keys and all else
// stay as they are. Nothing is allocated if nothing is to be redacted.
//
// Pairs are separated by ampersands. As some servers also split at semicolons,
// and malformed links have a second question mark, a key is looked for behind
// these too; but a secret value always extends to the next ampersand.
// Secrets in a URL that is itself the encoded value of another key are not found.
func Query(rawQuery string, secret *Names) string {
	var out strings.Builder
	done := 0 // bytes of rawQuery that out has
	for start := 0; start < len(rawQuery); {
		end := len(rawQuery)
		if i := strings.IndexByte(rawQuery[start:], '&'); i >= 0 {
			end = start + i
		}
		if at := start + secretValue(rawQuery[start:end], secret); at < end && rawQuery[at:end] != Redacted {
			if done == 0 {
				out.Grow(len(rawQuery) + len(Redacted))
			}
			out.WriteString(rawQuery[done:at])
			out.WriteString(Redacted)
			done = end
		}
		start = end + 1
	}
	if done == 0 {
		return rawQuery
	}
	out.WriteString(rawQuery[done:])
	return out.String()
}

// secretValue returns where in chunk, which has no ampersand, the value of its
// first secret key begins; the length of chunk if there is none.
func secretValue(chunk string, secret *Names) int {
	start, inKey := 0, true
	for i := range len(chunk) {
		switch c := chunk[i]; {
		case c == ';' || c == '?':
			start, inKey = i+1, true
		case c == '=' && inKey:
			if secret.secret(chunk[start:i]) {
				return i + 1
			}
			inKey = false
		}
	}
	return len(chunk)
}

// UserInfo returns a request target without user information (RFC 3986 section
// 3.2.1): http://user:password@host/ becomes http://host/. Targets in origin
// form are returned as they are. In authority form, where no user information
// is allowed (RFC 9112 section 3.2.3), and in what is no valid form, all up to
// the last at sign of the target without its query is removed.
func UserInfo(target string) string {
	if target == "" || target[0] == '/' {
		return target
	}
	start, ends := 0, "?#"
	if before, _, ok := strings.Cut(target, "://"); ok && scheme(before) {
		start, ends = len(before)+len("://"), "/?#"
	}
	authority := target[start:]
	if i := strings.IndexAny(authority, ends); i >= 0 {
		authority = authority[:i]
	}
	at := strings.LastIndexByte(authority, '@')
	if at < 0 {
		return target
	}
	return target[:start] + target[start+at+1:]
}

// scheme says whether s is one (RFC 3986 section 3.1).
func scheme(s string) bool {
	for i, c := range []byte(s) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || c-'0' > 9 && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return s != ""
}
