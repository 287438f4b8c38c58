// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"os"
	"path/filepath"
	"testing"
)

// cg makes a directory in the world's cgroup hierarchy and returns its id.
func (w *world) cg(dir string) uint64 {
	w.t.Helper()
	full := filepath.Join(w.root, "cg", dir)
	if err := os.MkdirAll(full, 0o755); err != nil {
		w.t.Fatal(err)
	}
	id, err := cgroupID(full)
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

func TestCgroupsOfUnitsAreSelected(t *testing.T) {
	w := newWorld(t)
	unit, sub, other := w.cg("system.slice/web.service"), w.cg("system.slice/web.service/worker"), w.cg("system.slice/db.service")
	d, k := w.started(Rules{Include: []Rule{{Units: []string{"web", "late"}}}})
	if !k.cgroups[unit] || !k.cgroups[sub] || k.cgroups[other] || len(k.cgroups) != 2 {
		t.Errorf("selected %v, want %d and %d", k.cgroups, unit, sub)
	}
	// A process that only its cgroup selected so far.
	w.put(proc{pid: 10, exe: "/bin/a", stack: 1, cgroup: "0::/system.slice/web.service\n"})
	if target := d.Lookup(10); target == nil || target.Service != "web" {
		t.Errorf("target %+v", target)
	}
	// A unit that starts is covered with its first process, not by the next rescan.
	late := w.cg("system.slice/late.service")
	w.put(proc{pid: 11, exe: "/bin/a", stack: 2, cgroup: "0::/system.slice/late.service\n"})
	k.exec(11)
	k.deliver(d, -1)
	if !k.cgroups[late] {
		t.Error("the new unit's cgroup is not selected")
	}
	if err := os.RemoveAll(filepath.Join(w.root, "cg/system.slice/web.service")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Rescan(); err != nil {
		t.Fatal(err)
	}
	if k.cgroups[unit] || k.cgroups[sub] || !k.cgroups[late] || d.Stats().Cgroups != 1 {
		t.Errorf("after the unit ended: selected %v", k.cgroups)
	}
}

func TestCgroupSelectionFailsClosed(t *testing.T) {
	web := Rule{Units: []string{"web"}}
	tests := []struct {
		name    string
		include Rule
		exclude []Rule
		want    bool
	}{
		{"unit", web, nil, true},
		{"unit and exe", Rule{Units: []string{"web"}, Exe: []string{"/a"}}, nil, false},
		{"unit and port", Rule{Units: []string{"web"}, Ports: port(80)}, nil, false},
		{"exe excluded", web, []Rule{{Exe: []string{"/x"}}}, false},
		{"exe excluded elsewhere", web, []Rule{{Exe: []string{"/x"}, Units: []string{"db"}}}, true},
		{"exe excluded here", web, []Rule{{Exe: []string{"/x"}, Units: []string{"web"}}}, false},
		{"unit excluded", web, []Rule{{Units: []string{"w*"}}}, false},
		{"other unit excluded", web, []Rule{{Units: []string{"db"}}}, true},
		{"port excluded", web, []Rule{{Ports: port(9090)}}, true},
		{"container", Rule{Containers: []string{testContainer[:12]}}, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			id := w.cg("system.slice/web.service/libpod-payload-" + testContainer)
			_, k := w.started(Rules{Include: []Rule{tt.include}, Exclude: tt.exclude})
			if k.cgroups[id] != tt.want {
				t.Errorf("selected %v, want %v", k.cgroups[id], tt.want)
			}
		})
	}
}

func TestCgroupDir(t *testing.T) {
	tests := []struct{ root, path, want string }{
		{"/", "/a/b", "/m/a/b"},
		{"/", "/", "/m/"},
		{"/", "/../x", ""},
		{"/../..", "/../../a", "/m/a"},
		{"/../..", "/../a", ""},
		{"/a", "/a/b", "/m/b"},
		{"/a", "/ab", ""},
		{"/a", "/b", ""},
		{"/", "", ""},
	}
	for _, tt := range tests {
		s := &cgroupSet{mount: "/m", root: tt.root}
		if got, ok := s.dir(tt.path); got != tt.want || ok != (tt.want != "") {
			t.Errorf("root %s, path %s: %q %v, want %q", tt.root, tt.path, got, ok, tt.want)
		}
	}
}
