// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestQuery(t *testing.T) {
	for _, c := range []struct{ name, query, want string }{
		{"empty", "", ""},
		{"nothing secret", "q=shoes&page=2&flag", "q=shoes&page=2&flag"},
		{"token", "token=abc", "token=REDACTED"},
		{"among others", "a=1&token=abc&b=2", "a=1&token=REDACTED&b=2"},
		{"several", "password=p&x=1&api_key=k", "password=REDACTED&x=1&api_key=REDACTED"},
		{"same key twice", "sig=1&sig=2", "sig=REDACTED&sig=REDACTED"},
		{"case of the key", "ToKeN=abc", "ToKeN=REDACTED"},
		{"camel case", "accessToken=abc", "accessToken=REDACTED"},
		{"dashes", "api-key=abc", "api-key=REDACTED"},
		{"encoded key", "%74oke%6E=abc", "%74oke%6E=REDACTED"},
		{"encoded underscore", "access%5ftoken=abc", "access%5ftoken=REDACTED"},
		{"malformed encoding in another key", "%zz=1&token%=2", "%zz=1&token%=REDACTED"},
		{"space before the key", "+token=abc&%20sig=d", "+token=REDACTED&%20sig=REDACTED"},
		{"array", "password[]=p&password%5B%5D=p", "password[]=REDACTED&password%5B%5D=REDACTED"},
		{"compound", "user[password]=p&login.pwd=p&user[name]=n", "user[password]=REDACTED&login.pwd=REDACTED&user[name]=n"},
		{"value with equals signs", "token=a=b==&c=d", "token=REDACTED&c=d"},
		{"value with ampersand encoded", "token=a%26b&c=d", "token=REDACTED&c=d"},
		{"value with semicolon", "token=a;b;c&d=e", "token=REDACTED&d=e"},
		{"behind a semicolon", "a=1;token=b;c=2&d=3", "a=1;token=REDACTED&d=3"},
		{"behind a second question mark", "a=1?token=b", "a=1?token=REDACTED"},
		{"leading question mark", "?token=b", "?token=REDACTED"},
		{"no value", "token&token=&a=1", "token&token=&a=1"},
		{"redacted before", "token=REDACTED&a=1", "token=REDACTED&a=1"},
		{"secret word as value", "q=token&sort=key", "q=token&sort=key"},
		{"secret word as part", "monkey=1&tokens=2&decode=3&signal=4", "monkey=1&tokens=2&decode=3&signal=4"},
		{"empty pairs", "&&token=a&&", "&&token=REDACTED&&"},
		{"presigned S3", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F2025&X-Amz-Date=20250101T000000Z&X-Amz-Signature=abc&X-Amz-Security-Token=t",
			"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=REDACTED&X-Amz-Date=20250101T000000Z&X-Amz-Signature=REDACTED&X-Amz-Security-Token=REDACTED"},
		{"conventions", "AWSAccessKeyId=a&Signature=b&sig=c&X-Goog-Signature=d", "AWSAccessKeyId=REDACTED&Signature=REDACTED&sig=REDACTED&X-Goog-Signature=REDACTED"},
		{"very long key", strings.Repeat("a", 500) + "=1&" + strings.Repeat("a", 500) + "[token]=2", strings.Repeat("a", 500) + "=1&" + strings.Repeat("a", 500) + "[token]=REDACTED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Query(c.query, DefaultNames()); got != c.want {
				t.Errorf("Query(%q) = %q, want %q", c.query, got, c.want)
			}
		})
	}
}

func TestEveryDefaultIsRedacted(t *testing.T) {
	names := DefaultNames()
	for _, name := range Defaults() {
		for _, key := range []string{name, strings.ToUpper(name), "x[" + name + "]", url.QueryEscape(name), escapeAll(name)} {
			if got, want := Query(key+"=hush", names), key+"="+Redacted; got != want {
				t.Errorf("Query = %q, want %q", got, want)
			}
		}
		if len(normal(name)) > maxName {
			t.Errorf("%q is too long", name)
		}
	}
}

func TestNewNames(t *testing.T) {
	n, err := NewNames([]string{"my-pin", "a.b"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := Query("MY_PIN=1&a.b=2&a_b=3&a=4&token=5", n), "MY_PIN=REDACTED&a.b=REDACTED&a_b=REDACTED&a=4&token=5"; got != want {
		t.Errorf("Query = %q, want %q", got, want)
	}
	for _, bad := range []string{"", "-_.", strings.Repeat("n", maxName+1)} {
		if _, err := NewNames([]string{"ok", bad}); err == nil || !strings.Contains(err.Error(), "key 1: ") {
			t.Errorf("NewNames(%q): error = %v", bad, err)
		}
	}
}

func TestNilNamesHideAll(t *testing.T) {
	if got, want := Query("a=1&b&c=2;d=3", nil), "a=REDACTED&b&c=REDACTED"; got != want {
		t.Errorf("Query = %q, want %q", got, want)
	}
}

func TestUserInfo(t *testing.T) {
	for _, c := range []struct{ name, target, want string }{
		{"user and password", "http://user:pw@host/path", "http://host/path"},
		{"user", "https://user@host:8443/", "https://host:8443/"},
		{"empty", "http://@host/", "http://host/"},
		{"no path", "http://user:pw@host", "http://host"},
		{"query at once", "http://user:pw@host?q=a@b", "http://host?q=a@b"},
		{"two at signs", "http://user:p@w@host/", "http://host/"},
		{"IPv6", "http://u:p@[::1]:80/", "http://[::1]:80/"},
		{"encoded at sign", "http://user:p%40w@host/", "http://host/"},
		{"other scheme", "WSS://u:p@host/", "WSS://host/"},
		{"none", "http://host/a@b", "http://host/a@b"},
		{"at sign in query", "http://host?mail=a@b", "http://host?mail=a@b"},
		{"origin form", "/a@b?u=http://x:y@z/", "/a@b?u=http://x:y@z/"},
		{"origin form, two slashes", "//a:b@c/d", "//a:b@c/d"},
		{"authority form", "host:443", "host:443"},
		{"authority form with user", "user:pw@host:443", "host:443"},
		{"no scheme, URL in query", "user:pw@host?u=http://a", "host?u=http://a"},
		{"separator in the password", "user:p://w@host", "host"},
		{"asterisk form", "*", "*"},
		{"nothing", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := UserInfo(c.target); got != c.want {
				t.Errorf("UserInfo(%q) = %q, want %q", c.target, got, c.want)
			}
		})
	}
}

func TestNothingRedactedAllocatesNothing(t *testing.T) {
	names := DefaultNames()
	n := testing.AllocsPerRun(100, func() {
		Query("q=shoes&page=2&%74ab=all&user[name]=n&token=REDACTED", names)
		UserInfo("http://host/path")
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// escapeAll percent-encodes every byte.
func escapeAll(s string) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for _, c := range []byte(s) {
		b.WriteString(string([]byte{'%', digits[c>>4], digits[c&15]}))
	}
	return b.String()
}

// FuzzQuery puts a secret anywhere in a query and checks that it is gone, that
// redacting twice changes nothing, that keys stay, and that net/url sees no secret.
func FuzzQuery(f *testing.F) {
	f.Add("a=1", uint8(0), uint8(0), "hush-hush", "b=2")
	f.Add("a=1;b", uint8(7), uint8(1), "hush;hush=1?", "?%zz&")
	f.Add("%", uint8(200), uint8(3), "=hush=hush", "token=REDACTED")
	names, list := DefaultNames(), Defaults()
	f.Fuzz(func(t *testing.T, before string, which, spelling uint8, secret, after string) {
		key := list[int(which)%len(list)]
		switch spelling % 4 {
		case 1:
			key = strings.ToUpper(key)
		case 2:
			key = escapeAll(key)
		case 3:
			key = "user[" + key + "]"
		}
		query := before + "&" + key + "=" + secret + "&" + after
		out := Query(query, names)
		value, _, _ := strings.Cut(secret, "&") // an ampersand ends the value
		rest := strings.Join([]string{before, "&", key, "=", Redacted, strings.TrimPrefix(secret, value), "&", after}, "")
		if len(value) > 4 && !strings.Contains(rest, value) && strings.Contains(out, value) {
			t.Errorf("Query(%q) = %q has %q", query, out, value)
		}
		if again := Query(out, names); again != out {
			t.Errorf("Query(%q) = %q", out, again)
		}
		if was, is := keys(query), keys(out); !slices.Equal(was, is) {
			t.Errorf("Query(%q) = %q: keys were %q, are %q", query, out, was, is)
		}
		parsed, _ := url.ParseQuery(out)
		for k, vs := range parsed {
			if slices.Contains(list, k) && slices.ContainsFunc(vs, func(v string) bool { return v != "" && v != Redacted }) {
				t.Errorf("Query(%q) = %q has a value for %q", query, out, k)
			}
		}
	})
}

// keys returns what stands before the values of query.
func keys(query string) []string {
	var ks []string
	for pair := range strings.SplitSeq(query, "&") {
		k, _, _ := strings.Cut(pair, "=")
		ks = append(ks, k)
	}
	return ks
}

// FuzzUserInfo checks that credentials of any absolute target are gone and
// that the host is still there.
func FuzzUserInfo(f *testing.F) {
	f.Add("http", "user:password", "host/p?q#f")
	f.Add("a+b", "u@:p", "[::1]:80")
	f.Fuzz(func(t *testing.T, protocol, user, host string) {
		if out := UserInfo(protocol + user + host); len(out) > len(protocol+user+host) {
			t.Errorf("UserInfo made %q of %q", out, protocol+user+host)
		}
		if !scheme(protocol) || strings.ContainsAny(user, "/?#") || strings.Contains(host, "@") {
			return
		}
		if got, want := UserInfo(protocol+"://"+user+"@"+host), protocol+"://"+host; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func BenchmarkQuery(b *testing.B) {
	names := DefaultNames()
	b.ReportAllocs()
	for b.Loop() {
		Query("q=shoes&page=2&sort=price&colour=blue", names)
	}
}
