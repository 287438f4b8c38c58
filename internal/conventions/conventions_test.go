// SPDX-License-Identifier: Apache-2.0

// Package conventions holds tests of what CONTRIBUTING.md promises of every
// file of the repository.
package conventions

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/tracer-agent/tracer-agent"

// repository is the root of the module.
func repository() fs.FS { return os.DirFS("../..") }

// files returns the paths and contents of all text files that somebody wrote.
func files(t *testing.T) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	err := fs.WalkDir(repository(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if slices.Contains([]string{".git", ".cache", "bin"}, name) {
				return fs.SkipDir
			}
			return nil
		case !d.Type().IsRegular() || strings.Contains(name, "_bpfel."):
			return nil
		}
		data, err := fs.ReadFile(repository(), name)
		if bytes.IndexByte(data, 0) < 0 {
			found[name] = data
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 100 {
		t.Fatalf("only %d files: the walk is wrong", len(found))
	}
	return found
}

// goFiles returns the parsed Go files with their comments.
func goFiles(t *testing.T) (*token.FileSet, map[string]*ast.File) {
	t.Helper()
	set, parsed := token.NewFileSet(), map[string]*ast.File{}
	for name, data := range files(t) {
		if path.Ext(name) != ".go" {
			continue
		}
		f, err := parser.ParseFile(set, name, data, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		parsed[name] = f
	}
	return set, parsed
}

func TestLicenceLines(t *testing.T) {
	const (
		ours   = "SPDX-License-Identifier: Apache-2.0"
		kernel = "SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause"
	)
	for name, data := range files(t) {
		lines := strings.SplitN(string(data), "\n", 3)
		switch path.Ext(name) {
		case ".go":
			if lines[0] != "// "+ours {
				t.Errorf("%s: its first line is not // %s", name, ours)
			}
		case ".c", ".h":
			if !strings.Contains(lines[0], kernel) {
				t.Errorf("%s: its first line does not say %s", name, kernel)
			}
		case ".sh", ".py", ".js", ".java", ".lua", ".yaml":
			if strings.Contains(name, "testdata/good") || strings.Contains(name, "testdata/bad") {
				continue
			}
			if !strings.Contains(lines[0], ours) && (len(lines) < 2 || !strings.Contains(lines[1], ours)) {
				t.Errorf("%s: neither of its first lines says %s", name, ours)
			}
		}
	}
}

func TestPackagesAreDocumented(t *testing.T) {
	_, parsed := goFiles(t)
	documented := map[string]bool{}
	for name, f := range parsed {
		dir := path.Dir(name)
		documented[dir] = documented[dir] || f.Doc != nil && strings.TrimSpace(f.Doc.Text()) != ""
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("%s: no package comment", dir)
		}
	}
}

func TestPackageNames(t *testing.T) {
	_, parsed := goFiles(t)
	for name, f := range parsed {
		if slices.Contains([]string{"util", "utils", "common", "helpers", "types"}, f.Name.Name) {
			t.Errorf("%s: a package called %s", name, f.Name.Name)
		}
	}
}

// Who may import what.
func TestImports(t *testing.T) {
	set, parsed := goFiles(t)
	for name, f := range parsed {
		for _, imp := range f.Imports {
			target, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if why := forbidden(path.Dir(name), strings.HasSuffix(name, "_test.go"), target); why != "" {
				t.Errorf("%s: imports %s: %s", set.Position(imp.Pos()), target, why)
			}
		}
	}
}

// forbidden says why a file of the package in dir may not import target, "" if it may.
func forbidden(dir string, test bool, target string) string {
	under := func(roots ...string) bool {
		return slices.ContainsFunc(roots, func(r string) bool { return dir == r || strings.HasPrefix(dir, r+"/") })
	}
	standard := !strings.Contains(strings.SplitN(target, "/", 2)[0], ".")
	switch {
	case strings.HasPrefix(target, "github.com/cilium/ebpf") && !under("bpf", "probes") && !test:
		return "only bpf and probes know the kernel"
	case dir == "httpparse" && !standard && target != module+"/httpparse":
		return "httpparse needs the standard library alone"
	case strings.Contains(target, "testify") || strings.Contains(target, "gomega"):
		return "tests use the standard library"
	case strings.HasPrefix(target, module+"/internal/agent") && !under("cmd", "internal/agent"):
		return "only the command wires everything together"
	case strings.HasPrefix(target, module+"/test/") && !under("test"):
		return "the product does not depend on its tests"
	}
	return ""
}

func TestForbidden(t *testing.T) {
	for _, tt := range []struct {
		dir, target string
		test, bad   bool
	}{
		{"export", "github.com/cilium/ebpf/ringbuf", false, true},
		{"probes", "github.com/cilium/ebpf/ringbuf", false, false},
		{"httpparse", "golang.org/x/net/http/httpguts", true, true},
		{"httpparse", "net/http", true, false},
		{"export", "github.com/stretchr/testify/require", true, true},
		{"internal/cli", module + "/internal/agent", false, true},
		{"cmd/tracer-agent", module + "/internal/agent", false, false},
	} {
		if got := forbidden(tt.dir, tt.test, tt.target); (got != "") != tt.bad {
			t.Errorf("%s imports %s: %q", tt.dir, tt.target, got)
		}
	}
}

// maxLines is what a reader takes in at one go.
const maxLines = 500

func TestFilesAreShort(t *testing.T) {
	for name, data := range files(t) {
		if n := bytes.Count(data, []byte("\n")); n > maxLines && slices.Contains([]string{".go", ".c", ".h"}, path.Ext(name)) {
			t.Errorf("%s: %d lines, at most %d", name, n, maxLines)
		}
	}
}

// A test that sleeps is slow on a fast machine and fails on a slow one.
func TestNoTestSleeps(t *testing.T) {
	set, parsed := goFiles(t)
	for name, f := range parsed {
		if !strings.HasSuffix(name, "_test.go") {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "Sleep" {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" {
					t.Errorf("%s: time.Sleep in a test", set.Position(s.Pos()))
				}
			}
			return true
		})
	}
}

// No package does work by being imported.
func TestNoInit(t *testing.T) {
	set, parsed := goFiles(t)
	for _, f := range parsed {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: func init", set.Position(fn.Pos()))
			}
		}
	}
}

// What must not get into the repository from somebody's machine: paths below
// home directories, and servers that only some can reach.
func TestNothingPrivate(t *testing.T) {
	homes := regexp.MustCompile(`(^|[\s"'=(:])/(root|home/[a-z]+|work|Users/[A-Za-z]+)/[A-Za-z.]`)
	urls := regexp.MustCompile(`https?://(?:[^\s/"'@]*@)?([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)`)
	for name, data := range files(t) {
		if m := homes.Find(data); m != nil {
			t.Errorf("%s: a path of one machine: %q", name, m)
		}
		if strings.HasPrefix(name, "httpparse/testdata/") { // messages of a public corpus
			continue
		}
		for _, m := range urls.FindAllSubmatch(data, -1) {
			if host := string(m[1]); !public(host) {
				t.Errorf("%s: host %s is not on the list of public ones", name, host)
			}
		}
	}
}

// public says that a host name means something to every reader.
func public(host string) bool {
	known := []string{
		"www.apache.org", "semver.org", "www.w3.org", "opentelemetry.io",
		"www.rfc-editor.org", "docs.kernel.org", "www.debian.org", "github.com", "schemas.xmlsoap.org", "spdx.org",
	}
	reserved := regexp.MustCompile(`(^|\.)example(\.(com|org|net))?$|\.(test|invalid|internal|local)$`) // RFC 2606 and the like
	_, err := netip.ParseAddr(host)                                                                     // addresses stand for nobody in particular
	return err == nil || slices.Contains(known, host) || reserved.MatchString(host)
}

func TestPublic(t *testing.T) {
	for host, want := range map[string]bool{
		"example.com": true, "shop.example": true, "collector.internal": true, "127.0.0.1": true,
		"mirror.of.somebody": false, "notexample.com": false,
	} {
		if public(host) != want {
			t.Errorf("public(%q) is %v", host, !want)
		}
	}
}
