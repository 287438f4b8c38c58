// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"

	"github.com/tracer-agent/tracer-agent/internal/config"
)

//go:embed intro.md
var intro string

// Page is the whole reference, from the doc comments of the package in
// directory source. A key without a doc comment is an error.
func Page(source string) ([]byte, error) {
	docs, err := readComments(source)
	if err != nil {
		return nil, err
	}
	keys := config.Keys()
	var b bytes.Buffer
	b.WriteString(strings.TrimSpace(intro) + "\n\n## Everything, with its default\n\n")
	writeDefaults(&b, keys)
	for _, k := range keys {
		doc := docs[k.Owner+"."+k.Field]
		if doc == "" {
			return nil, fmt.Errorf("config key %s: field %s.%s has no doc comment", k.Path, k.Owner, k.Field)
		}
		switch {
		case k.Path == "exclude[]":
			// Its keys are those of instrument.
			fmt.Fprintf(&b, "\n## exclude\n\n%s The criteria are those of `instrument`; there is no `name` and no `routes`.\n", doc)
		case strings.HasPrefix(k.Path, "exclude[]."):
		case k.Section:
			writeSection(&b, k, doc)
		default:
			writeKey(&b, k, doc)
		}
	}
	return b.Bytes(), nil
}

// writeSection begins a section, with the head of the table of its keys unless
// all it holds are sections.
func writeSection(b *bytes.Buffer, k config.Key, doc string) {
	level := strings.Repeat("#", 2+strings.Count(k.Path, "."))
	fmt.Fprintf(b, "\n%s %s\n\n%s\n", level, strings.TrimSuffix(k.Path, "[]"), doc)
}

// writeKey describes one key as an entry of a list.
func writeKey(b *bytes.Buffer, k config.Key, doc string) {
	name := k.Path[strings.LastIndex(k.Path, ".")+1:]
	facts := []string{k.Type}
	if k.Allowed != "" {
		facts = append(facts, "allowed: "+k.Allowed)
	}
	if k.Default != `""` && k.Default != "[]" && k.Default != "{}" {
		facts = append(facts, "default: `"+k.Default+"`")
	}
	if k.Fallback != "" {
		facts = append(facts, "else `"+k.Fallback+"`")
	}
	fmt.Fprintf(b, "\n- **`%s`** (%s)\n  %s\n", name, strings.Join(facts, "; "), doc)
}

// writeDefaults writes a configuration file in which every key has its default.
func writeDefaults(b *bytes.Buffer, keys []config.Key) {
	b.WriteString("```yaml\ninstrument: []\nexclude: []\n")
	for _, k := range keys {
		if strings.Contains(k.Path, "[]") {
			continue
		}
		name := k.Path[strings.LastIndex(k.Path, ".")+1:]
		fmt.Fprintf(b, "%s%s:", strings.Repeat("  ", strings.Count(k.Path, ".")), name)
		if !k.Section {
			b.WriteString(" " + k.Default)
		}
		b.WriteByte('\n')
	}
	b.WriteString("```\n")
}
