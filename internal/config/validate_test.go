// SPDX-License-Identifier: Apache-2.0

package config

import (
	"encoding/json"
	"reflect"
	"testing"
)

func TestDefaultIsValid(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
}

func TestDefaultsShareNothing(t *testing.T) {
	a := Default()
	a.Propagation.Formats[0] = "changed"
	if b := Default(); b.Propagation.Formats[0] == "changed" {
		t.Error("two defaults share a slice")
	}
}

// Without a file, problems name the path alone.
func TestValidate(t *testing.T) {
	c := Default()
	c.Instrument = []Instrument{{Selector: Selector{Pids: []int{0}}}}
	c.Exclude = []Selector{{}}
	c.Export.OTLP.Headers = map[string]string{"b c": "", "a": "x\r\ny"}
	want := Problems{
		{Path: "instrument[0].pids[0]", Message: "0 is out of range; allowed is 1 to 4194304"},
		{Path: "export.otlp.headers.b c", Message: `"b c" is not a header name`},
		{Path: "exclude[0]", Message: "an entry needs at least one of ports, exe, cmdline, pids, units, containers, users, namespaces, namespace_labels, pod_labels, pod_annotations, workloads"},
		{Path: "export.otlp.headers.a", Message: "a header value is one line"},
	}
	if got := c.Validate(); !reflect.DeepEqual(got, error(want)) {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
}

func TestProblemJSON(t *testing.T) {
	text, err := json.Marshal(Problem{Where: Place{"c.yaml", 7, 3}, Path: "http.x", Message: "unknown key"})
	want := `{"where":"c.yaml:7:3","path":"http.x","message":"unknown key"}`
	if err != nil || string(text) != want {
		t.Errorf("got %s, %v; want %s", text, err, want)
	}
}

func TestKeysHaveDistinctVariables(t *testing.T) {
	seen := map[string]string{}
	for _, k := range Keys() {
		if other := seen[k.Env]; k.Env != "" && other != "" {
			t.Errorf("%s and %s share %s", other, k.Path, k.Env)
		}
		seen[k.Env] = k.Path
	}
}
