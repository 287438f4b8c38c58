// SPDX-License-Identifier: Apache-2.0

package config

import "testing"

func TestGlobProblem(t *testing.T) {
	for _, glob := range []string{
		"/usr/sbin/nginx", "/usr/sbin/*", "/usr/**", "**/nginx", "**", "/usr/bin/python3.{11,12}", "/srv/app[0-9]", "{/a,/b}/x",
	} {
		if problem := globProblem(glob); problem != "" {
			t.Errorf("%s: %s", glob, problem)
		}
	}
	for _, glob := range []string{"", "nginx", "*", "*/nginx", "***/x", "**nginx", "./nginx", "/a[", "/a{b", `/a\`} {
		if globProblem(glob) == "" {
			t.Errorf("%q is not refused", glob)
		}
	}
}

func TestPatternProblem(t *testing.T) {
	for _, pattern := range []string{"*gunicorn*", "app@*.service", "*", "{a,b}"} {
		if problem := patternProblem(pattern); problem != "" {
			t.Errorf("%s: %s", pattern, problem)
		}
	}
	for _, pattern := range []string{"", "[a", "{a", `a\`} {
		if patternProblem(pattern) == "" {
			t.Errorf("%q is not refused", pattern)
		}
	}
}
