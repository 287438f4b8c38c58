// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Validate returns a [Problems] with everything that is impossible in c, or
// nil. It looks at c alone: whether files, users or addresses exist is not
// checked.
func (c Config) Validate() error { return c.problems().err() }

func (c Config) problems() Problems {
	var r report
	r.tags(reflect.ValueOf(c), "")
	r.selectors(c)
	r.headers(c.HTTP)
	r.export(c.Export)
	r.propagation(c.Propagation)
	r.kubernetes(c)
	r.kernel(c.Kernel)
	r.listen(c.Metrics)
	return Problems(r)
}

// report collects what is wrong.
type report Problems

func (r *report) add(path, format string, args ...any) {
	*r = append(*r, Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

// tags checks every value below v against its check tag.
func (r *report) tags(v reflect.Value, path string) {
	for _, f := range yamlFields(v.Type()) {
		r.tagged(v.FieldByIndex(f.index), join(path, f.name), f.tag.Get("check"))
	}
}

func (r *report) tagged(v reflect.Value, path, check string) {
	switch {
	case isLeaf(v.Type()):
		if problem := tagProblem(v, check); problem != "" {
			r.add(path, "%s", problem)
		}
	case v.Kind() == reflect.Struct:
		r.tags(v, path)
	case v.Kind() == reflect.Map:
		for _, key := range slices.Sorted(maps.Keys(v.Interface().(map[string]string))) {
			if problem := tagProblem(reflect.ValueOf(key), check); problem != "" {
				r.add(join(path, key), "%s", problem)
			}
		}
	default:
		for i := range v.Len() {
			item := fmt.Sprintf("%s[%d]", path, i)
			r.tagged(v.Index(i), item, check)
			if strings.Contains(check, "unique") && contains(v, i) {
				r.add(item, "%q is given twice", fmt.Sprint(v.Index(i)))
			}
		}
	}
}

// contains reports whether list[i] also stands before i.
func contains(list reflect.Value, i int) bool {
	for j := range i {
		if strings.EqualFold(fmt.Sprint(list.Index(j)), fmt.Sprint(list.Index(i))) {
			return true
		}
	}
	return false
}

// tagProblem says what is wrong with the leaf v, "" for nothing. The rules of a
// check tag are separated by spaces:
//
//	min=X max=Y   number or duration in X..Y
//	power2        a power of two
//	oneof=a|b     one of these words
//	token         an HTTP header name (RFC 9110 section 5.6.2)
//	glob          a glob over absolute paths
//	pattern       a text pattern
//	label         the key of a Kubernetes label or annotation
//	unique        of a list: no value twice; see tagged
func tagProblem(v reflect.Value, check string) string {
	rules := map[string]string{}
	for rule := range strings.FieldsSeq(check) {
		name, arg, _ := strings.Cut(rule, "=")
		rules[name] = arg
	}
	if low, ok := rules["min"]; ok {
		if n := number(v); !(n >= parseNumber(v, low) && n <= parseNumber(v, rules["max"])) {
			return fmt.Sprintf("%s is out of range; allowed is %s to %s", yamlText(v), low, rules["max"])
		}
	}
	if words, ok := rules["oneof"]; ok {
		if problem := wordProblem(v.String(), strings.Split(words, "|")); problem != "" {
			return problem
		}
	}
	if _, ok := rules["power2"]; ok && v.Int()&(v.Int()-1) != 0 {
		return fmt.Sprintf("%d is not a power of two", v.Int())
	}
	if _, ok := rules["token"]; ok && !isToken(v.String()) {
		return fmt.Sprintf("%q is not a header name", v.String())
	}
	if _, ok := rules["label"]; ok {
		return labelProblem(v.String())
	}
	if _, ok := rules["glob"]; ok {
		return globProblem(v.String())
	}
	if _, ok := rules["pattern"]; ok {
		return patternProblem(v.String())
	}
	return ""
}

func number(v reflect.Value) float64 {
	if v.CanInt() {
		return float64(v.Int())
	}
	return v.Float()
}

// parseNumber reads a bound of a check tag in the unit of v. The tags are
// constants of this package, so one that cannot be read is a mistake in it.
func parseNumber(v reflect.Value, s string) float64 {
	if v.Type() == durationType {
		d, err := time.ParseDuration(s)
		if err != nil {
			panic(fmt.Sprintf("check tag has the bound %q: %v", s, err))
		}
		return float64(d)
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil {
		panic(fmt.Sprintf("check tag has the bound %q: %v", s, err))
	}
	return n
}

func wordProblem(word string, allowed []string) string {
	if slices.Contains(allowed, word) {
		return ""
	}
	if near := Nearest(word, allowed); near != "" {
		return fmt.Sprintf("unknown value %q; did you mean %s?", word, near)
	}
	words := slices.DeleteFunc(slices.Clone(allowed), func(s string) bool { return s == "" })
	return fmt.Sprintf("unknown value %q; allowed: %s", word, strings.Join(words, ", "))
}

func isToken(s string) bool {
	const special = "!#$%&'*+-.^_`|~"
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && strings.IndexByte(special, c) < 0 {
			return false
		}
	}
	return s != ""
}
