// SPDX-License-Identifier: Apache-2.0

// Package redact removes secrets from what spans say about request targets.
//
// The OpenTelemetry conventions for url.query ask for the values of four keys
// (AWSAccessKeyId, Signature, sig, X-Goog-Signature) to be replaced by
// REDACTED, and for credentials in user information never to be recorded. This
// package knows many more keys and, unlike the conventions, which compare keys
// with regard to case, prefers to redact too much.
package redact

import "fmt"

// Names is a set of query keys whose values are secret. It is immutable and
// safe for concurrent use. A nil Names holds every key.
//
// Keys are compared after percent-decoding, letters and digits only, without
// case: api_key, API-Key and apiKey are one name. A compound key such as
// user[password] or login.password is secret if one of its parts is.
type Names struct {
	set map[string]struct{} // in normal form
}

// maxName is the longest normal form of a secret name in bytes.
const maxName = 64

// Defaults returns the names that are known to be secret, in the form in
// which they are commonly written. The slice is the caller's.
func Defaults() []string {
	return []string{
		// tokens
		"token", "access_token", "refresh_token", "id_token", "auth_token", "session_token", "security_token",
		"csrf_token", "xsrf_token", "api_token", "user_token", "private_token", "reset_token", "bearer", "jwt",
		// keys
		"key", "api_key", "x_api_key", "app_key", "access_key", "access_key_id", "secret_key", "secret_access_key",
		"private_key", "auth_key", "account_key", "subscription_key", "Ocp-Apim-Subscription-Key",
		// signed URLs
		"sig", "signature", "hmac", "X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token", "AWSAccessKeyId",
		"X-Goog-Signature", "X-Goog-Credential", "GoogleAccessId", "X-Oss-Signature", "X-Oss-Credential",
		"OSSAccessKeyId", "Key-Pair-Id",
		// passwords
		"password", "passwd", "passwort", "passphrase", "passcode", "pwd", "pass", "pw", "pin", "otp", "totp",
		"old_password", "new_password", "confirm_password", "password_confirmation", "current_password",
		// OAuth, OpenID Connect, SAML, CAS
		"secret", "client_secret", "client_assertion", "assertion", "code", "code_verifier", "device_code", "user_code",
		"oauth_token", "oauth_token_secret", "oauth_signature", "oauth_verifier", "SAMLRequest", "SAMLResponse", "ticket",
		"app_secret", "consumer_secret", "webhook_secret", "shared_secret",
		// sessions and credentials
		"session", "session_id", "session_key", "sid", "jsessionid", "phpsessid", "cookie",
		"auth", "authorization", "authentication", "x_authorization", "credential", "credentials", "creds",
		"appsecret_proof",
	}
}

// DefaultNames returns the set of Defaults.
func DefaultNames() *Names {
	n := &Names{set: make(map[string]struct{})}
	for _, name := range Defaults() {
		n.set[normal(name)] = struct{}{}
	}
	return n
}

// NewNames returns the set of the given names alone. It is an error if a name
// has no letter or digit, or more than 64.
func NewNames(names []string) (*Names, error) {
	n := &Names{set: make(map[string]struct{}, len(names))}
	for i, name := range names {
		form := normal(name)
		if form == "" || len(form) > maxName {
			return nil, fmt.Errorf("secret query key %d: %q must have 1 to %d letters and digits", i, name, maxName)
		}
		n.set[form] = struct{}{}
	}
	return n, nil
}

// normal returns the form in which names are compared.
func normal(name string) string {
	form := make([]byte, 0, len(name))
	for _, c := range []byte(name) {
		if c, class := classify(c); class == kept {
			form = append(form, c)
		}
	}
	return string(form)
}

// class says what a byte means within a key.
type class uint8

const (
	kept      class = iota // letters, digits and all that is not ASCII
	ignored                // what differs between spellings of one name, and space
	separator              // what joins the parts of a compound key
)

// classify returns the class of c, and c in lower case.
func classify(c byte) (byte, class) {
	switch {
	case c-'A' <= 'Z'-'A':
		return c + 'a' - 'A', kept
	case c-'a' <= 'z'-'a', c-'0' <= 9, c >= 0x80:
		return c, kept
	case c == '-', c == '_', c == '+', c <= ' ', c == 0x7f:
		return c, ignored
	}
	return c, separator
}

// Secret says whether the value of a key, as it stands in a query, is secret.
func (n *Names) Secret(key string) bool { return n.secret(key) }

// secret says whether the value of a key, as it stands in a query, is secret.
func (n *Names) secret(key string) bool {
	if n == nil {
		return true
	}
	var whole, part form
	compound := false
	for i := 0; i < len(key); i++ {
		c := key[i]
		if c == '%' && len(key)-i > 2 && unhex(key[i+1])|unhex(key[i+2]) <= 0xf {
			c = unhex(key[i+1])<<4 | unhex(key[i+2])
			i += 2
		}
		switch c, class := classify(c); class {
		case kept:
			whole.add(c)
			part.add(c)
		case separator:
			if part.in(n) {
				return true
			}
			part.n, compound = 0, true
		}
	}
	return part.in(n) || compound && whole.in(n)
}

// form collects a normal form as far as it can be one of a name.
type form struct {
	b [maxName]byte
	n int // above maxName: too long
}

func (f *form) add(c byte) {
	if f.n < maxName {
		f.b[f.n] = c
	}
	f.n = min(f.n+1, maxName+1)
}

func (f *form) in(n *Names) bool {
	if f.n == 0 || f.n > maxName {
		return false
	}
	_, ok := n.set[string(f.b[:f.n])]
	return ok
}

// unhex returns the value of a hexadecimal digit, 0xff for anything else.
func unhex(c byte) byte {
	switch {
	case c-'0' <= 9:
		return c - '0'
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 0xff
}
