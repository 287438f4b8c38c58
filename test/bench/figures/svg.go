// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math"
	"strings"
	"text/template"
)

// Sizes of the drawing, in pixels.
const (
	panelWidth, panelHeight = 300, 200
	marginLeft, marginTop   = 60, 50
	gap                     = 90
	legendLine              = 18
)

// colours tell lines apart.
func colours() []string {
	return []string{"#1b6ca8", "#c0392b", "#2e8b57", "#8e44ad", "#b9770e", "#555555"}
}

// The shapes of the drawing.
type (
	drawing struct {
		Width, Height int
		Panels        []frame
		Legend        []entry
	}
	frame struct {
		X, Y, Width, Height int
		Title, XLabel       string
		Ticks               []tick
		Lines               []polyline
	}
	tick struct {
		X1, Y1, X2, Y2, TextX, TextY float64
		Anchor, Text                 string
	}
	polyline struct {
		Points, Colour, Dash string
		Dots                 []dot
	}
	dot   struct{ X, Y float64 }
	entry struct {
		X, Y               int
		Name, Colour, Dash string
	}
)

const image = `<svg xmlns="http://www.w3.org/2000/svg" width="{{.Width}}" height="{{.Height}}" viewBox="0 0 {{.Width}} {{.Height}}" font-family="sans-serif" font-size="11">
<!-- SPDX-License-Identifier: Apache-2.0 -->
<rect width="100%" height="100%" fill="white"/>
{{- range .Panels}}
<g transform="translate({{.X}} {{.Y}})">
<text x="0" y="-28" font-size="14">Against {{.Title}}</text>
<text x="0" y="-12">µs per request</text>
<rect width="{{.Width}}" height="{{.Height}}" fill="none" stroke="#888"/>
{{- range .Ticks}}
<line x1="{{.X1}}" y1="{{.Y1}}" x2="{{.X2}}" y2="{{.Y2}}" stroke="#ddd"/>
<text x="{{.TextX}}" y="{{.TextY}}" text-anchor="{{.Anchor}}">{{.Text}}</text>
{{- end}}
{{- range .Lines}}{{$colour := .Colour}}
<polyline points="{{.Points}}" fill="none" stroke="{{.Colour}}" stroke-width="1.5" stroke-dasharray="{{.Dash}}"/>
{{- range .Dots}}<circle cx="{{.X}}" cy="{{.Y}}" r="2.5" fill="{{$colour}}"/>{{end}}
{{- end}}
<text x="0" y="{{.Height}}" dy="34">{{.XLabel}}</text>
</g>
{{- end}}
{{- range .Legend}}
<path d="M{{.X}} {{.Y}} h30" stroke="{{.Colour}}" stroke-width="1.5" stroke-dasharray="{{.Dash}}"/>
<text x="{{.X}}" y="{{.Y}}" dx="38" dy="4">{{.Name}}</text>
{{- end}}
</svg>
`

// draw renders panels side by side, with one legend below.
func draw(list []panel) (string, error) {
	d := drawing{Width: gap}
	style := map[string]entry{}
	for _, p := range list {
		if len(p.lines) == 0 {
			continue
		}
		d.Panels = append(d.Panels, p.frame(d.Width-gap+marginLeft, style, &d))
		d.Width += panelWidth + gap
	}
	if len(d.Panels) == 0 {
		return "", fmt.Errorf("the reports have no group of cases to plot")
	}
	top := marginTop + panelHeight + 60
	for i := range d.Legend {
		d.Legend[i].X, d.Legend[i].Y = marginLeft, top+i*legendLine
	}
	d.Height = top + len(d.Legend)*legendLine
	page, err := template.New("svg").Parse(image)
	if err != nil {
		return "", fmt.Errorf("draw: %w", err)
	}
	var b strings.Builder
	if err := page.Execute(&b, d); err != nil {
		return "", fmt.Errorf("draw: %w", err)
	}
	return b.String(), nil
}

// frame lays a panel out; lines that are new get a colour and a legend.
func (p panel) frame(x int, style map[string]entry, d *drawing) frame {
	f := frame{X: x, Y: marginTop, Width: panelWidth, Height: panelHeight, Title: p.title, XLabel: p.xLabel}
	var xs, ys []float64
	for _, l := range p.lines {
		xs, ys = append(xs, l.x...), append(ys, l.y...)
	}
	across, up := axisOf(xs), axisOf(ys)
	for _, v := range across.ticks() {
		at := round1(across.at(v) * panelWidth)
		f.Ticks = append(f.Ticks, tick{at, 0, at, panelHeight, at, panelHeight + 14, "middle", short(v)})
	}
	for _, v := range up.ticks() {
		at := round1(panelHeight - up.at(v)*panelHeight)
		f.Ticks = append(f.Ticks, tick{0, at, panelWidth, at, -5, at + 4, "end", short(v)})
	}
	for _, l := range p.lines {
		s, known := style[l.name]
		if !known {
			s = entry{Name: l.name, Colour: colours()[len(style)%len(colours())]}
			if l.dashed {
				s.Dash = "5 4"
			}
			style[l.name] = s
			d.Legend = append(d.Legend, s)
		}
		f.Lines = append(f.Lines, l.polyline(across, up, s))
	}
	return f
}

func (l line) polyline(across, up axis, s entry) polyline {
	out := polyline{Colour: s.Colour, Dash: s.Dash}
	var points []string
	for i := range l.x {
		p := dot{round1(across.at(l.x[i]) * panelWidth), round1(panelHeight - up.at(l.y[i])*panelHeight)}
		points = append(points, fmt.Sprintf("%g,%g", p.X, p.Y))
		out.Dots = append(out.Dots, p)
	}
	out.Points = strings.Join(points, " ")
	return out
}

func round1(v float64) float64 { return math.Round(10*v) / 10 }

// short writes a power of ten.
func short(v float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if v >= unit.size {
			return fmt.Sprintf("%g%s", v/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("%g", v)
}
