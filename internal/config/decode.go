// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// decoder reads one YAML document into a Config. The YAML library's own strict
// decoding stops at the first mistake; a user wants all of them, each with its
// line, so only its parser is used and the tree is walked here.
type decoder struct {
	file     string
	anchors  map[string]ast.Node
	origin   map[string]Place // path → where it was written
	problems Problems
}

// decodeYAML overlays text on cfg. file is the name for messages.
func decodeYAML(file string, text []byte, cfg *Config) (origin map[string]Place, problems Problems) {
	d := &decoder{file: file, anchors: map[string]ast.Node{}, origin: map[string]Place{}}
	tree, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, Problems{syntaxProblem(file, err)}
	}
	if len(tree.Docs) > 1 {
		d.problem(tree.Docs[1].GetToken(), "", "a configuration is one YAML document; remove what follows the second ---")
	}
	for _, doc := range tree.Docs[:min(1, len(tree.Docs))] {
		if doc.Body != nil && doc.Body.Type() != ast.CommentGroupType {
			ast.Walk(anchorFinder(d.anchors), doc.Body)
			d.value(doc.Body, "", reflect.ValueOf(cfg).Elem())
		}
	}
	return d.origin, d.problems
}

func syntaxProblem(file string, err error) Problem {
	var located yaml.Error
	if errors.As(err, &located) && located.GetToken() != nil {
		return Problem{Where: place(file, located.GetToken()), Message: located.GetMessage()}
	}
	return Problem{Where: Place{Source: file}, Message: err.Error()}
}

func place(file string, at *token.Token) Place {
	if at == nil || at.Position == nil {
		return Place{Source: file}
	}
	return Place{Source: file, Line: at.Position.Line, Column: at.Position.Column}
}

func (d *decoder) problem(at *token.Token, path, format string, args ...any) {
	d.problems = append(d.problems, Problem{
		Where: place(d.file, at), Path: path, Message: fmt.Sprintf(format, args...),
	})
}

// anchorFinder collects the anchored nodes of a tree by name.
type anchorFinder map[string]ast.Node

// Visit implements ast.Visitor.
func (f anchorFinder) Visit(n ast.Node) ast.Visitor {
	if a, ok := n.(*ast.AnchorNode); ok {
		f[a.Name.GetToken().Value] = a.Value
	}
	return f
}

// resolve follows anchors and aliases, and takes tags off. An alias of an
// unknown name, or of itself, resolves to nil.
func (d *decoder) resolve(n ast.Node) ast.Node {
	for range 1 + len(d.anchors) {
		switch node := n.(type) {
		case *ast.AnchorNode:
			n = node.Value
		case *ast.AliasNode:
			n = d.anchors[node.Value.GetToken().Value]
		case *ast.TagNode:
			n = node.Value
		default:
			return n
		}
	}
	return nil
}

// value sets v from the node at path. Nothing (null) leaves v as it is.
func (d *decoder) value(written ast.Node, path string, v reflect.Value) {
	at := written.GetToken()
	node := d.resolve(written)
	if node == nil {
		// Not repeated: it may be a secret that begins with an asterisk.
		d.problem(at, path, "an alias of nothing; quote a text that begins with *")
		return
	}
	if _, ok := d.origin[path]; !ok {
		d.origin[path] = place(d.file, at)
	}
	if node.Type() == ast.NullType {
		return
	}
	switch {
	case isLeaf(v.Type()):
		d.leaf(node, at, path, v)
	case v.Kind() == reflect.Struct:
		d.object(node, at, path, v)
	case v.Kind() == reflect.Slice:
		d.list(node, at, path, v)
	default:
		d.stringMap(node, at, path, v)
	}
}

func (d *decoder) leaf(node ast.Node, at *token.Token, path string, v reflect.Value) {
	text, ok := scalarText(node)
	if !ok {
		d.problem(at, path, "expected a single value, not a %s", kindName(node))
		return
	}
	if err := setText(v, text); err != nil {
		d.problem(at, path, "%v", err)
	}
}

// scalarText is a scalar as it was written, so that neither 010 nor 1.10 nor
// "off" loses its form on the way to a string.
func scalarText(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func kindName(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "mapping"
	case *ast.SequenceNode:
		return "list"
	}
	return "single value"
}

func (d *decoder) list(node ast.Node, at *token.Token, path string, v reflect.Value) {
	seq, ok := node.(*ast.SequenceNode)
	if text, isScalar := scalarText(node); isScalar {
		d.problem(at, path, "expected a list; write [%s]", text)
		return
	}
	if !ok {
		d.problem(at, path, "expected a list, not a %s", kindName(node))
		return
	}
	list := reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values))
	for i, item := range seq.Values {
		itemPath := fmt.Sprintf("%s[%d]", path, i)
		if item.Type() == ast.NullType {
			d.problem(item.GetToken(), itemPath, "an empty item in a list")
			continue
		}
		d.value(item, itemPath, list.Index(i))
	}
	v.Set(list)
}

// entries lists the pairs of a mapping; nil, and a problem, if node is none.
func (d *decoder) entries(node ast.Node, at *token.Token, path string) []*ast.MappingValueNode {
	switch m := node.(type) {
	case *ast.MappingNode:
		return m.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{m}
	}
	d.problem(at, path, "expected a mapping of keys to values, not a %s", kindName(node))
	return nil
}

func (d *decoder) stringMap(node ast.Node, at *token.Token, path string, v reflect.Value) {
	m := reflect.MakeMap(v.Type())
	for _, entry := range d.entries(node, at, path) {
		key := entry.Key.GetToken().Value
		item := reflect.New(v.Type().Elem()).Elem()
		d.value(entry.Value, join(path, key), item)
		m.SetMapIndex(reflect.ValueOf(key), item)
	}
	v.Set(m)
}

func (d *decoder) object(node ast.Node, at *token.Token, path string, v reflect.Value) {
	fields := yamlFields(v.Type())
	for _, entry := range d.entries(node, at, path) {
		key, at := entry.Key.GetToken().Value, entry.Key.GetToken()
		if entry.Key.IsMergeKey() {
			d.problem(at, path, "merge keys (<<) are not supported; write the keys out")
			continue
		}
		field := fieldNamed(fields, key)
		if field == nil {
			d.problem(at, join(path, key), "unknown key%s", keyHint(key, fields))
			continue
		}
		d.origin[join(path, key)] = place(d.file, at)
		d.value(entry.Value, join(path, key), v.FieldByIndex(field.index))
	}
}

func fieldNamed(fields []yamlField, name string) *yamlField {
	for i := range fields {
		if fields[i].name == name {
			return &fields[i]
		}
	}
	return nil
}

// keyHint names the key that was probably meant: the same key in another
// section, else the nearest in this one.
func keyHint(key string, fields []yamlField) string {
	for _, k := range Keys() {
		if k.Path[strings.LastIndex(k.Path, ".")+1:] == key {
			return fmt.Sprintf("; did you mean %s?", k.Path)
		}
	}
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	if near := Nearest(key, names); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return fmt.Sprintf("; known here: %s", strings.Join(names, ", "))
}
