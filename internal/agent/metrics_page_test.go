// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tracer-agent/tracer-agent/export"
	"github.com/tracer-agent/tracer-agent/internal/link"
	"github.com/tracer-agent/tracer-agent/internal/selfmetrics"
	"github.com/tracer-agent/tracer-agent/probes"
)

//go:generate go test -count=1 -run ^TestMetricsPage$ . -update

var update = flag.Bool("update", false, "write docs/metrics.md")

const metricsPage = "../../docs/metrics.md"

// docs/metrics.md is what samples.go says, read from its source: a page of all
// metrics does not need a kernel that gives them values.
func TestMetricsPage(t *testing.T) {
	var page strings.Builder
	page.WriteString(pageHead)
	p := &metricsReader{t: t, consts: map[string]string{}}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "samples.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && strings.HasSuffix(f.Name.Name, "Samples") {
			p.read(strings.TrimSuffix(f.Name.Name, "Samples"), f)
		} else {
			p.read("", d)
		}
	}
	if len(p.rows) < 30 {
		t.Fatalf("only %d metrics found: the reader does not understand samples.go", len(p.rows))
	}
	p.write(&page)
	if *update {
		if err := os.WriteFile(metricsPage, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != page.String() {
		t.Errorf("%s is not what samples.go makes: run make generate", metricsPage)
	}
}

const pageHead = `<!-- SPDX-License-Identifier: Apache-2.0 -->
<!-- Generated from internal/agent/samples.go by "make generate"; do not edit. -->
# Metrics

What ` + "`tracer-agent run --metrics-listen 127.0.0.1:9464`" + ` serves at ` + "`/metrics`" + ` in Prometheus format, besides the usual
` + "`go_*` and `process_*`" + ` of the agent's own process. ` + "`/healthz`" + ` answers 200 as long as the agent runs, ` + "`/readyz`" + ` once it
captures and until it is told to stop.

Every request is accounted for:

` + "```" + `
requests_total = spans_offered_total + requests_dropped_total (all reasons but data_ring_full) + exchanges_open
spans_offered_total = spans_exported_total + spans_dropped_total (all reasons) + queue_spans
` + "```" + `

Requests whose records found the ring full never got as far as ` + "`requests_total`" + `: they are
` + "`requests_dropped_total{reason=\"data_ring_full\"}`" + `, counted by the kernel.
`

// metricsReader turns the calls of counter and gauge into table rows, one for
// each name, in the section of its first call.
type metricsReader struct {
	t      *testing.T
	consts map[string]string // string constants met so far
	rows   []*metricsRow
}

type metricsRow struct {
	section, name, kind, help string
	labels                    []string
}

func (p *metricsReader) read(section string, d ast.Decl) {
	ast.Inspect(d, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			for i, name := range n.Names {
				if i < len(n.Values) {
					p.consts[name.Name] = p.text(n.Values[i])
				}
			}
		case *ast.CallExpr:
			if fn, ok := n.Fun.(*ast.Ident); ok && (fn.Name == "counter" || fn.Name == "gauge") {
				p.row(section, fn.Name, n.Args)
			}
		}
		return true
	})
}

// row adds a metric, or more label values of one that is known.
func (p *metricsReader) row(section, kind string, args []ast.Expr) {
	name := selfmetrics.Prefix + p.text(args[1])
	i := slices.IndexFunc(p.rows, func(r *metricsRow) bool { return r.name == name })
	if i < 0 {
		i = len(p.rows)
		p.rows = append(p.rows, &metricsRow{section: section, name: name, kind: kind, help: strings.TrimSuffix(p.text(args[2]), ".")})
	}
	for _, a := range args[4:] {
		call, ok := a.(*ast.CallExpr)
		if !ok || len(call.Args) != 2 {
			p.t.Fatalf("%s: a label that is not made by label()", name)
		}
		for _, v := range p.values(call.Args[1]) {
			p.rows[i].labels = append(p.rows[i].labels, fmt.Sprintf("`%s=%q`", p.text(call.Args[0]), v))
		}
	}
}

func (p *metricsReader) write(out *strings.Builder) {
	section := ""
	for _, r := range p.rows {
		if r.section != section {
			section = r.section
			fmt.Fprintf(out, "\n## %s%s\n\n| metric | kind | meaning | labels |\n|---|---|---|---|\n", strings.ToUpper(section[:1]), section[1:])
		}
		fmt.Fprintf(out, "| `%s` | %s | %s | %s |\n", r.name, r.kind, r.help, strings.Join(r.labels, ", "))
	}
}

// text returns the value of a string literal or constant.
func (p *metricsReader) text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		if err != nil {
			p.t.Fatalf("samples.go: %s is no string", e.Value)
		}
		return s
	case *ast.Ident:
		if s, ok := p.consts[e.Name]; ok {
			return s
		}
	}
	p.t.Fatalf("samples.go: name, help and label names must be strings or constants")
	return ""
}

// values lists what a label's value may be: itself, or all that its type can say.
func (p *metricsReader) values(e ast.Expr) []string {
	if lit, ok := e.(*ast.BasicLit); ok {
		return []string{p.text(lit)}
	}
	var all []string
	ast.Inspect(e, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && id.Name == "evidence" {
			for _, v := range link.AllEvidence() {
				all = append(all, v.String())
			}
		}
		s, ok := n.(*ast.SelectorExpr)
		switch {
		case ok && s.Sel.Name == "DropReason":
			for r := range export.NumDropReasons {
				all = append(all, export.DropReason(r).String())
			}
		case ok && s.Sel.Name == "Backend":
			for _, b := range probes.Backends() {
				all = append(all, string(b))
			}
		}
		return true
	})
	if len(all) == 0 {
		p.t.Fatal("samples.go: a label value whose range this test does not know; teach it")
	}
	return all
}
