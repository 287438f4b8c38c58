// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
)

// maxFileBytes bounds what is read of a configuration file.
const maxFileBytes = 1 << 20

// Source is where a Config's values come from.
type Source struct {
	// File is the path of a YAML file, "" for none.
	File string
	// Env is the environment as os.Environ returns it; nil for none.
	Env []string
	// Flags are applied last, in order.
	Flags []Flag
}

// Flag is a value given on the command line.
type Flag struct {
	// Name as messages show it, such as "--port".
	Name string
	// Set changes the Config and returns the path of what it changed.
	Set func(*Config) string
}

// Load reads file and the environment of this process; see [Source.Load].
func Load(file string) (Config, error) {
	return Source{File: file, Env: os.Environ()}.Load()
}

// Load applies the sources over Default, weakest first, and validates the
// result. Any error is a [Problems]; the Config then holds what could be read
// and is only good for reporting.
func (s Source) Load() (Config, error) {
	cfg := Default()
	l := loader{cfg: &cfg, origin: map[string]Place{}}
	env := environment(s.Env)
	l.fallbacks(env)
	l.file(s.File, ownIdentity(env))
	l.own(env)
	for _, f := range s.Flags {
		l.origin[f.Set(&cfg)] = Place{Source: f.Name}
	}
	cfg.Export.OTLP.Enabled = cfg.Export.OTLP.Endpoint != "" ||
		env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] != "" || env["OTEL_EXPORTER_OTLP_ENDPOINT"] != ""
	l.trustKubeconfig(ownIdentity(env))
	l.validate()
	return cfg, l.problems.err()
}

// loader is a Load in progress.
type loader struct {
	cfg      *Config
	origin   map[string]Place // path → where its value was written
	problems Problems
}

func environment(list []string) map[string]string {
	env := make(map[string]string, len(list))
	for _, entry := range list {
		name, value, _ := strings.Cut(entry, "=")
		env[name] = value
	}
	return env
}

// fallbacks takes the standard variables. Set but empty means not set, as the
// OpenTelemetry specification of environment variables asks.
func (l *loader) fallbacks(env map[string]string) {
	for _, k := range Keys() {
		if text := strings.TrimSpace(env[k.Fallback]); k.Fallback != "" && text != "" {
			l.setText(k.Path, k.Fallback, text)
		}
	}
}

// own takes the TRACER_AGENT_* variables; empty means not set here too. Names
// that are no key are not errors: Kubernetes sets TRACER_AGENT_PORT and the like
// by itself when a service is called tracer-agent.
func (l *loader) own(env map[string]string) {
	for _, k := range Keys() {
		if text := strings.TrimSpace(env[k.Env]); k.Env != "" && text != "" {
			l.setText(k.Path, k.Env, text)
		}
	}
}

// setText sets the value at path, which leads through structs only, to what
// the variable called where says. A list is separated by commas.
func (l *loader) setText(path, where, text string) {
	v := reflect.ValueOf(l.cfg).Elem()
	for key := range strings.SplitSeq(path, ".") {
		v = v.FieldByIndex(fieldNamed(yamlFields(v.Type()), key).index)
	}
	l.origin[path] = Place{Source: where}
	if isLeaf(v.Type()) {
		l.report(path, setText(v, text))
		return
	}
	v.SetZero()
	for i, part := range strings.Split(text, ",") {
		item := reflect.New(v.Type().Elem()).Elem()
		l.report(fmt.Sprintf("%s[%d]", path, i), setText(item, strings.TrimSpace(part)))
		v.Set(reflect.Append(v, item))
	}
}

func (l *loader) report(path string, err error) {
	if err != nil {
		l.problems = append(l.problems, Problem{Where: l.where(path), Path: path, Message: err.Error()})
	}
}

func (l *loader) file(name string, id identity) {
	if name == "" {
		return
	}
	text, err := readFile(name, id)
	if err != nil {
		l.problems = append(l.problems, Problem{Where: Place{Source: name}, Message: err.Error()})
		return
	}
	origin, problems := decodeYAML(name, text, l.cfg)
	maps.Copy(l.origin, origin)
	l.problems = append(l.problems, problems...)
}

func readFile(name string, id identity) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration: %w", errors.Unwrap(err))
	}
	defer f.Close()
	if err := id.trust(f); err != nil {
		return nil, fmt.Errorf("the configuration is not read: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration: %w", err)
	}
	if len(text) > maxFileBytes {
		return nil, fmt.Errorf("a configuration of more than %d bytes is not read", maxFileBytes)
	}
	return text, nil
}

// validate adds the problems of the loaded values, each with its place, unless
// the value or a part of it could not be read in the first place.
func (l *loader) validate() {
	unread := l.problems
	for _, p := range l.cfg.problems() {
		if !slices.ContainsFunc(unread, func(u Problem) bool { return within(u.Path, p.Path) }) {
			p.Where = l.where(p.Path)
			l.problems = append(l.problems, p)
		}
	}
	l.problems.sort()
}

// within reports whether path is outer or lies below it.
func within(path, outer string) bool {
	rest, ok := strings.CutPrefix(path, outer)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// where is the place that path, or the nearest thing around it, was written at.
func (l *loader) where(path string) Place {
	for path != "" {
		if where, ok := l.origin[path]; ok {
			return where
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return Place{}
}
