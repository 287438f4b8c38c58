// SPDX-License-Identifier: Apache-2.0

package tracecontext

import "slices"

// Result returns what the fields since Begin add up to. The Result belongs to
// the Extractor and is valid until the next Begin or Field; its strings, Links
// and SW8 are the caller's for good.
func (x *Extractor) Result() *Result {
	r := &x.res
	if x.seen == 0 {
		return r
	}
	*r = Result{Invalid: x.invalid, SW8: x.sw8}
	for _, f := range x.order {
		if x.seen&(1<<f) == 0 {
			continue
		}
		c, ok := x.context(f)
		if !ok {
			r.Invalid++
		}
		r.add(c)
	}
	for i := range x.corr {
		if h := &x.corr[i]; h.state == valid {
			r.RequestID, r.RequestIDHeader = string(h.value), h.name
			break
		}
	}
	return r
}

// context returns what format f says, perhaps only a decision, or the zero
// Context. It is not ok if something is wrong that no single header showed.
func (x *Extractor) context(f Format) (c Context, ok bool) {
	switch f {
	case B3Multi, Datadog, OpenTracing:
		return x.groups[f].context(f)
	}
	s := &x.slots[f]
	if s.state != valid {
		return Context{}, true
	}
	c, ok = s.ctx, true
	if f == W3C {
		c.TraceState, ok = x.tracestate()
	}
	return c, ok
}

// tracestate returns the list that goes with a valid traceparent. If it is not
// valid the list alone is lost (Trace Context section 3.3).
func (x *Extractor) tracestate() (string, bool) {
	if len(x.state) == 0 || x.longTail {
		return "", !x.longTail
	}
	s, ok := appendTracestate(x.scratch[:0], x.state)
	if !ok {
		return "", false
	}
	return string(s), true
}

// add takes what the format of next lower rank says.
func (r *Result) add(c Context) {
	switch {
	case c.TraceID == ([16]byte{}): // a decision at most
	case r.Parent.Format == FormatNone:
		r.Parent = c
	case !SameContext(r.Parent, c):
		if c.HasSpan && !slices.ContainsFunc(r.Links, func(l Context) bool { return SameContext(l, c) }) {
			r.Links = append(r.Links, c)
		}
		return // another span's decision
	}
	if r.Decision == Undecided {
		r.Decision = c.Sampled
	}
}
