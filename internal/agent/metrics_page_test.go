// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/tracer-agent/tracer-agent/export"
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
	p := &metricsReader{t: t, out: &page}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "samples.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && strings.HasSuffix(f.Name.Name, "Samples") {
			p.section(f)
		}
	}
	if p.count < 30 {
		t.Fatalf("only %d metrics found: the reader does not understand samples.go", p.count)
	}
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
requests_total = spans_offered_total + requests_dropped_total (all reasons) + exchanges_open
spans_offered_total = spans_exported_total + spans_dropped_total (all reasons) + queue_spans
` + "```" + `

A request whose records were lost before they could be recognised is in none of them, but its records are in
` + "`kernel_lost_records_total`" + `.
`

// metricsReader turns the calls of counter and gauge into table rows.
type metricsReader struct {
	t      *testing.T
	out    *strings.Builder
	consts map[string]string // string constants of the function
	rows   []metricsRow      // of the section
	count  int
}

type metricsRow struct {
	name, kind, help string
	labels           []string
}

func (p *metricsReader) section(f *ast.FuncDecl) {
	title := strings.TrimSuffix(f.Name.Name, "Samples")
	fmt.Fprintf(p.out, "\n## %s%s\n\n| metric | kind | meaning | labels |\n|---|---|---|---|\n", strings.ToUpper(title[:1]), title[1:])
	p.consts, p.rows = map[string]string{}, nil
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			for i, name := range n.Names {
				if i < len(n.Values) {
					p.consts[name.Name] = p.text(n.Values[i])
				}
			}
		case *ast.CallExpr:
			if fn, ok := n.Fun.(*ast.Ident); ok && (fn.Name == "counter" || fn.Name == "gauge") {
				p.row(fn.Name, n.Args)
			}
		}
		return true
	})
	p.count += len(p.rows)
	for _, r := range p.rows {
		fmt.Fprintf(p.out, "| `%s` | %s | %s | %s |\n", r.name, r.kind, r.help, strings.Join(r.labels, ", "))
	}
}

// row adds one metric, or one more label value of the metric before.
func (p *metricsReader) row(kind string, args []ast.Expr) {
	name := selfmetrics.Prefix + p.text(args[1])
	if n := len(p.rows); n == 0 || p.rows[n-1].name != name {
		p.rows = append(p.rows, metricsRow{name: name, kind: kind, help: strings.TrimSuffix(p.text(args[2]), ".")})
	}
	r := &p.rows[len(p.rows)-1]
	for _, a := range args[4:] {
		call, ok := a.(*ast.CallExpr)
		if !ok || len(call.Args) != 2 {
			p.t.Fatalf("%s: a label that is not made by label()", name)
		}
		for _, v := range p.values(call.Args[1]) {
			r.labels = append(r.labels, fmt.Sprintf("`%s=%q`", p.text(call.Args[0]), v))
		}
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
	p.t.Fatalf("samples.go: name, help and label names must be strings or constants of the function")
	return ""
}

// values lists what a label's value may be: itself, or all that its type can say.
func (p *metricsReader) values(e ast.Expr) []string {
	if lit, ok := e.(*ast.BasicLit); ok {
		return []string{p.text(lit)}
	}
	var all []string
	ast.Inspect(e, func(n ast.Node) bool {
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
