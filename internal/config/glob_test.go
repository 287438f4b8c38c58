// SPDX-License-Identifier: Apache-2.0

package config

import "testing"

func TestGlob(t *testing.T) {
	tests := []struct {
		glob, path string
		want       bool
	}{
		{"/usr/sbin/nginx", "/usr/sbin/nginx", true},
		{"/usr/sbin/nginx", "/usr/sbin/nginx2", false},
		{"/usr/sbin/*", "/usr/sbin/nginx", true},
		{"/usr/*", "/usr/sbin/nginx", false},
		{"/usr/**", "/usr/sbin/nginx", true},
		{"**/nginx", "/usr/sbin/nginx", true},
		{"**/nginx", "/nginx", true},
		{"**", "/usr/sbin/nginx", true},
		{"/usr/**/nginx", "/usr/nginx", true},
		{"/usr/bin/python3.{11,12}", "/usr/bin/python3.12", true},
		{"/usr/bin/python3.{11,12}", "/usr/bin/python3.13", false},
		{"/srv/app[0-9]", "/srv/app7", true},
		{"/srv/app?", "/srv/app/", false},
		{"{/a,/b}/x", "/b/x", true},
	}
	for _, tt := range tests {
		var g Glob
		if err := g.UnmarshalText([]byte(tt.glob)); err != nil {
			t.Errorf("%s: %v", tt.glob, err)
		}
		if got := g.Match(tt.path); got != tt.want {
			t.Errorf("%s matches %s: %v, want %v", tt.glob, tt.path, got, tt.want)
		}
	}
}

func TestPattern(t *testing.T) {
	tests := []struct {
		pattern, text string
		want          bool
	}{
		{"*gunicorn*", "/usr/bin/python3 /usr/bin/gunicorn -w 2 app:app", true},
		{"*gunicorn", "/usr/bin/python3 /usr/bin/gunicorn -w 2 app:app", false},
		{"/usr/bin/java*-Dapp=shop*", "/usr/bin/java -cp /a/b -Dapp=shop -jar x", true},
		{"app@*.service", "app@1.service", true},
		{"app@*.service", "other@1.service", false},
		{"node?server.js", "node/server.js", true},
		{"{a,b}/c*", "b/c/d", true},
		{"*", "", true},
	}
	for _, tt := range tests {
		var p Pattern
		if err := p.UnmarshalText([]byte(tt.pattern)); err != nil {
			t.Errorf("%s: %v", tt.pattern, err)
		}
		if got := p.Match(tt.text); got != tt.want {
			t.Errorf("%s matches %s: %v, want %v", tt.pattern, tt.text, got, tt.want)
		}
	}
}
