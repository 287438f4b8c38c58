// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// EnvPrefix begins the name of every variable of the agent's own.
const EnvPrefix = "TRACER_AGENT_"

// Key describes one key of the configuration, for documentation and for
// environment variables.
type Key struct {
	// Path in the file; "[]" stands for the index of a list:
	// "instrument[].ports".
	Path string
	// Owner and Field are the Go struct and field whose doc comment describes
	// the key.
	Owner, Field string
	// Type in words: "number", "list of text".
	Type string
	// Section says that the key holds other keys rather than a value.
	Section bool
	// Default as it would be written in YAML; "" for nothing.
	Default string
	// Allowed values in words; "" if Type says it all.
	Allowed string
	// Words are the accepted values where only certain words are.
	Words []string
	// Env is the agent's own variable, "" if the key has none (lists of
	// entries and maps cannot be written in one).
	Env string
	// Fallback is the standard variable that applies when nothing else is
	// given, "" if there is none or the agent leaves it to the exporter.
	Fallback string
}

// Keys lists every key, sections before what they hold, in the struct's order.
func Keys() []Key {
	return keysOf(reflect.ValueOf(Default()), "", true)
}

func keysOf(defaults reflect.Value, path string, single bool) []Key {
	var keys []Key
	for _, f := range yamlFields(defaults.Type()) {
		value := defaults.FieldByIndex(f.index)
		key := Key{
			Path: join(path, f.name), Owner: f.owner.Name(), Field: f.field,
			Type: typeName(f.typ), Allowed: allowed(f.tag.Get("check")), Words: words(f.tag.Get("check")), Fallback: f.tag.Get("otel"),
		}
		inner, innerSingle := value, single
		if f.typ.Kind() == reflect.Slice && !isLeaf(f.typ.Elem()) {
			key.Path += "[]"
			inner, innerSingle = reflect.New(f.typ.Elem()).Elem(), false
		}
		if inner.Kind() == reflect.Struct && !isLeaf(inner.Type()) {
			key.Section = true
			keys = append(keys, key)
			keys = append(keys, keysOf(inner, key.Path, innerSingle)...)
			continue
		}
		key.Default = yamlText(value)
		if single && f.typ.Kind() != reflect.Map {
			key.Env = EnvPrefix + strings.ToUpper(strings.ReplaceAll(key.Path, ".", "_"))
		}
		keys = append(keys, key)
	}
	return keys
}

func typeName(t reflect.Type) string {
	switch {
	case t == durationType:
		return "duration"
	case t == reflect.TypeFor[PortRange]():
		return "port or range"
	case t.Kind() == reflect.Slice:
		return "list of " + strings.Replace(typeName(t.Elem()), "section", "entries", 1)
	case t.Kind() == reflect.Map:
		return "mapping of name to text"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Int, t.Kind() == reflect.Float64:
		return "number"
	case t.Kind() == reflect.Struct:
		return "section"
	}
	return "text"
}

// yamlText is v as a user would write it.
func yamlText(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case string:
		if value == "" {
			return `""`
		}
		return value
	case time.Duration:
		return shortDuration(value)
	}
	switch v.Kind() {
	case reflect.Slice:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = yamlText(v.Index(i))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case reflect.Map:
		return "{}"
	}
	return fmt.Sprint(v.Interface())
}

// shortDuration drops the zero units that Duration.String writes: 10m, not 10m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// allowed is a check tag in words.
func allowed(check string) string {
	var low, high string
	var facts []string
	for rule := range strings.FieldsSeq(check) {
		name, arg, _ := strings.Cut(rule, "=")
		switch name {
		case "oneof":
			facts = append(facts, strings.Join(words(rule), ", "))
		case "min":
			low = arg
		case "max":
			high = arg
		case "power2":
			facts = append(facts, "a power of two")
		case "unique":
			facts = append(facts, "each once")
		case "token":
			facts = append(facts, "header names")
		case "label":
			facts = append(facts, "label keys")
		case "glob":
			facts = append(facts, "globs")
		case "pattern":
			facts = append(facts, "text patterns")
		}
	}
	if low != "" {
		facts = append([]string{low + " to " + high}, facts...)
	}
	return strings.Join(facts, "; ")
}

// words are those of the oneof rule of a check tag, without the empty one.
func words(check string) []string {
	for rule := range strings.FieldsSeq(check) {
		if list, ok := strings.CutPrefix(rule, "oneof="); ok {
			return strings.Split(strings.TrimPrefix(list, "|"), "|")
		}
	}
	return nil
}
