// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tracer-agent/tracer-agent/internal/config"
)

func TestPageIsUpToDate(t *testing.T) {
	want, err := Page("..")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/configuration.md differs from the structs; run go generate ./internal/config")
	}
}

// The YAML in the page must be what the agent accepts, and the listed defaults
// must be the defaults.
func TestPageYAMLLoads(t *testing.T) {
	page, err := Page("..")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(page), "```")
	if len(blocks) != 5 {
		t.Fatalf("page has %d pieces around its ``` marks, want 5: two YAML blocks", len(blocks))
	}
	for i, name := range map[int]string{1: "example", 3: "defaults"} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "config.yaml")
			text := strings.TrimPrefix(blocks[i], "yaml\n")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			cfg, err := config.Source{File: file}.Load()
			if err != nil {
				t.Fatal(err)
			}
			if name == "example" && len(cfg.Instrument) != 1 {
				t.Errorf("example selects %v", cfg.Instrument)
			}
		})
	}
}

func TestPageNeedsDocComments(t *testing.T) {
	dir := t.TempDir()
	text := "package config\n\ntype Config struct {\n\tInstrument []int\n}\n"
	if err := os.WriteFile(filepath.Join(dir, "config.go"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Page(dir)
	if err == nil || !strings.Contains(err.Error(), "Config.Instrument has no doc comment") {
		t.Errorf("Page of an undocumented struct: %v", err)
	}
}

func TestEveryKeyIsInThePage(t *testing.T) {
	page, err := Page("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range config.Keys() {
		if k.Section || strings.HasPrefix(k.Path, "exclude[].") {
			continue
		}
		name := k.Path[strings.LastIndex(k.Path, ".")+1:]
		if !bytes.Contains(page, []byte("- **`"+name+"`**")) {
			t.Errorf("%s is not described", k.Path)
		}
	}
}
