// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// generated returns what generate writes, by path.
func generated(t *testing.T) map[string][]byte {
	t.Helper()
	dir := t.TempDir()
	if err := generate(dir, "v1.2.3", "1700000000"); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files[name], err = os.ReadFile(filepath.Join(dir, name))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestPages(t *testing.T) {
	files := generated(t)
	for _, command := range []string{"", "-run", "-check", "-why", "-demo", "-version"} {
		name := "man8/tracer-agent" + command + ".8.gz"
		r, err := gzip.NewReader(bytes.NewReader(files[name]))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		page, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{`.TH "TRACER-AGENT` + strings.ToUpper(command) + `" "8" "Nov 2023" "tracer-agent v1.2.3"`, ".SH NAME"} {
			if !strings.Contains(string(page), want) {
				t.Errorf("%s: no %s in\n%.300s", name, want, page)
			}
		}
		if !r.ModTime.IsZero() || r.Name != "" {
			t.Errorf("%s: compressed with name %q and time %v", name, r.Name, r.ModTime)
		}
	}
}

func TestCompletion(t *testing.T) {
	files := generated(t)
	for shell, want := range map[string]string{"bash": "complete -o", "zsh": "#compdef tracer-agent", "fish": "complete -c tracer-agent"} {
		if !strings.Contains(string(files["completion/"+shell]), want) {
			t.Errorf("%s: no %q", shell, want)
		}
	}
}

func TestSameBytesEachTime(t *testing.T) {
	first, second := generated(t), generated(t)
	if len(first) < 9 || len(first) != len(second) {
		t.Fatalf("%d and %d files", len(first), len(second))
	}
	for name, data := range first {
		if !bytes.Equal(data, second[name]) {
			t.Errorf("%s differs", name)
		}
	}
}

func TestBadEpoch(t *testing.T) {
	if err := generate(t.TempDir(), "v1", "today"); err == nil {
		t.Error("accepted a SOURCE_DATE_EPOCH of today")
	}
}
