// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/procfs"
)

func TestParseStat(t *testing.T) {
	tail := " S 7 1 1 0 -1 4194560 1 1 1 1 1 1 1 1 20 0 1 0 12345 1 1 18446744073709551615 1 1 140726 0 0"
	want := procStat{state: 'S', ppid: 7, flags: 4194560, start: 12345, stack: 140726}
	for _, comm := range []string{"(nginx)", "(a b)", "()", "((sd-pam))", "(x) S 1 (y)", "(a\nb)", "(\xff)"} {
		got, err := parseStat([]byte("42 " + comm + tail))
		if err != nil || got != want {
			t.Errorf("comm %q: %+v, %v", comm, got, err)
		}
	}
	for _, bad := range []string{"", "42", "42 (x", "42 x)", "42 (x)", "42 (x) S 7", "42 (x) S x" + tail[4:], "42 (x) S -1" + tail[4:]} {
		if got, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q parsed as %+v", bad, got)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("42 (a) b) S 7 1 1 0 -1 4194560 1 1 1 1 1 1 1 1 20 0 1 0 12345 1 1 1 1 1 140726 0 0"))
	f.Fuzz(func(t *testing.T, data []byte) {
		st, err := parseStat(data)
		if err == nil && bytes.LastIndexByte(data, ')') < 0 {
			t.Errorf("%+v without a command name", st)
		}
	})
}

func TestParseListeners(t *testing.T) {
	type socket struct {
		inode uint64
		port  uint16
	}
	file := tcpHeader +
		"   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0 0 55 1 0 100 0 0 10 0\n" +
		"   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000  0 0 56 1 0 20 4 30 10 -1\n" +
		"   2: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 57 1"
	var got []socket
	if err := parseListeners(strings.NewReader(file), func(inode uint64, port uint16) { got = append(got, socket{inode, port}) }); err != nil {
		t.Fatal(err)
	}
	if want := []socket{{55, 8080}, {57, 80}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, bad := range []string{"0: 00000000:XXXX 0:0 0A 0 0 0 0 0 5", "0: 00000000:0050 0:0 0A 0 0 0 0 0 x", "0: 0:0050 0:0 0A", "0: 0:12345 0:0 01"} {
		if err := parseListeners(strings.NewReader(tcpHeader+bad), func(uint64, uint16) { t.Errorf("%q gave a socket", bad) }); err == nil {
			t.Errorf("%q is no error", bad)
		}
	}
}

func FuzzParseListeners(f *testing.F) {
	f.Add([]byte(proc{}.netTCP()))
	f.Fuzz(func(t *testing.T, data []byte) {
		sockets := 0
		_ = parseListeners(bytes.NewReader(data), func(uint64, uint16) { sockets++ })
		if lines := bytes.Count(data, []byte("\n")); sockets > lines {
			t.Errorf("%d sockets in %d lines", sockets, lines)
		}
	})
}

func TestParseEUID(t *testing.T) {
	if uid, err := parseEUID([]byte("Name:\tUid:\nUid:\t1\t33\t1\t1\n")); err != nil || uid != 33 {
		t.Errorf("uid %d, error %v", uid, err)
	}
	for _, bad := range []string{"", "Uid:\n", "Uid:\t1\n", "Uid:\t1\tx\n", "Uid:\t1\t-1\n"} {
		if uid, err := parseEUID([]byte(bad)); err == nil {
			t.Errorf("%q: uid %d", bad, uid)
		}
	}
}

func TestParseCgroup(t *testing.T) {
	const c = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	const pod = "pod1a2b3c4d_0000_1111_2222_333344445555"
	slice := "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-" + pod + ".slice/"
	v1 := func(path string) string {
		return "9:name=systemd:" + path + "\n4:memory:" + path + "\n1:cpu,cpuacct:" + path + "\n0::" + path + "\n"
	}
	tests := []struct {
		name, file      string
		id, runtime     string
		service, inUnit string
	}{
		{"hybrid containerd burstable", v1("/kubepods/burstable/podU/" + c), c, "", "", ""},
		{"hybrid containerd besteffort", v1("/kubepods/besteffort/podU/" + c), c, "", "", ""},
		{"hybrid containerd guaranteed", v1("/kubepods/podU/" + c), c, "", "", ""},
		{"v2 containerd systemd", "0::" + slice + "cri-containerd-" + c + ".scope\n", c, "", "", "cri-containerd-" + c + ".scope"},
		{"v2 cri-o crun", "0::" + slice + "crio-" + c + ".scope/container\n", c, "", "", ""},
		{"hybrid cri-o cgroupfs", v1("/kubepods/burstable/podU/crio-" + c), c, "", "", ""},
		{"cri-o's monitor", "0::/system.slice/crio-conmon-" + c + ".scope\n", "", "", "", ""},
		{"podman's monitor", "0::/machine.slice/libpod-conmon-" + c + ".scope\n", "", "", "", ""},
		{"podman", v1("/libpod_parent/libpod-" + c), c, "podman", "", ""},
		{"podman systemd", "0::/machine.slice/libpod-" + c + ".scope/container\n", c, "podman", "", "machine.slice"},
		{"podman pod", v1("/libpod_parent/libpod_pod_" + c), "", "", "", ""},
		{"podman in a unit", "0::/system.slice/web.service/libpod-payload-" + c + "\n", c, "podman", "web.service", "web.service"},
		{"docker", v1("/docker/" + c), c, "docker", "", ""},
		{"docker systemd", "0::/system.slice/docker-" + c + ".scope\n", c, "docker", "", "system.slice"},
		{"docker in a unit", v1("/system.slice/docker.service/docker/" + c), c, "docker", "", "docker.service"},
		{"v1 only for some controllers", "3:cpu:/docker/" + c + "\n1:name=systemd:/\n0::/\n", c, "docker", "", ""},
		{"containerd without systemd driver", v1("/system.slice/containerd.service/kubepods-" + pod + ".slice:cri-containerd:" + c), c, "", "", "containerd.service"},
		{"other cgroup namespace", "0::/../../../kubepods-besteffort.slice/cri-containerd-" + c + ".scope\n", c, "", "", ""},
		{"service in a container", "0::/docker/" + c + "/system.slice/app.service\n", c, "docker", "app.service", "app.service"},
		{"container in a container", "0::/system.slice/docker-" + c + ".scope/libpod-" + strings.Repeat("f", 64) + "\n", c, "docker", "", "docker-" + c + ".scope"},
		{"systemd unit", "0::/system.slice/nginx.service\n", "", "", "nginx.service", "nginx.service"},
		{"sub-cgroup of a unit", "0::/system.slice/app.service/worker\n", "", "", "app.service", "system.slice"},
		{"unit, v1 only", "4:memory:/\n1:name=systemd:/system.slice/nginx.service\n", "", "", "nginx.service", "nginx.service"},
		{"user session", "0::/user.slice/user-1000.slice/session-2.scope\n", "", "", "", "session-2.scope"},
		{"user service", "0::/user.slice/user-1000.slice/user@1000.service/app.slice/web.service\n", "", "", "web.service", "user@1000.service"},
		{"root", "0::/\n", "", "", "", ""},
		{"upper case is no id", v1("/docker/" + strings.ToUpper(c)), "", "", "", ""},
		{"too short", v1("/docker/" + c[1:]), "", "", "", ""},
		{"just a suffix", "0::/.service/.scope\n", "", "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.put(proc{pid: 10, exe: "/a", cgroup: tt.file})
			cg, err := w.process(10).cgroup()
			if err != nil {
				t.Fatal(err)
			}
			if cg.container.id != tt.id || cg.container.runtime != tt.runtime || cg.service != tt.service {
				t.Errorf("container %q of %q in service %q, want %q, %q, %q",
					cg.container.id, cg.container.runtime, cg.service, tt.id, tt.runtime, tt.service)
			}
			if tt.inUnit != "" && !slices.Contains(append(cg.units, cg.claimed...), tt.inUnit) {
				t.Errorf("units %q lack %q", cg.units, tt.inUnit)
			}
		})
	}
}

// Units and containers that a container or a user made up select nothing: only what
// the system's manager and runtimes named does. They exclude all the same.
func TestForgedUnitsAndContainers(t *testing.T) {
	id, other := strings.Repeat("ab", 32), strings.Repeat("cd", 32)
	for _, tt := range []struct {
		name, path string
		selected   bool
	}{
		{"the unit", "/system.slice/web.service", true},
		{"below the unit", "/system.slice/web.service/workers/1", true},
		{"a container of the unit", "/system.slice/web.service/libpod-payload-" + other, true},
		{"of a user", "/user.slice/user-1000.slice/user@1000.service/app.slice/web.service", false},
		{"in a container", "/docker/" + other + "/system.slice/web.service", false},
		{"in a container, systemd driver", "/machine.slice/libpod-" + other + ".scope/web.service", false},
		{"the container", "/docker/" + id, true},
		{"below the container", "/system.slice/docker-" + id + ".scope/sub", true},
		{"a container's", "/docker/" + other + "/docker/" + id, false},
		{"a container's, systemd driver", "/system.slice/docker-" + other + ".scope/system.slice/docker-" + id + ".scope", false},
		{"a user's", "/user.slice/user-1000.slice/user@1000.service/docker/" + id, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.write("var/lib/docker/containers/"+id+"/config.v2.json", `{"Name": "/shop"}`)
			w.write("var/lib/docker/containers/"+other+"/config.v2.json", `{"Name": "/other"}`)
			w.put(proc{pid: 10, exe: "/bin/a", cgroup: "0::" + tt.path + "\n"})
			d, _ := w.started(Rules{Include: []Rule{{Units: []string{"web"}}, {Containers: []string{"shop"}}}})
			if got := d.Lookup(10) != nil; got != tt.selected {
				t.Errorf("selected %v, want %v", got, tt.selected)
			}
			d, _ = w.started(Rules{Include: []Rule{{Exe: []string{"/bin/a"}}}, Exclude: []Rule{{Units: []string{"web"}}, {Containers: []string{"shop"}}}})
			if d.Lookup(10) != nil {
				t.Error("it is not excluded")
			}
		})
	}
}

func FuzzParseCgroup(f *testing.F) {
	f.Add("/system.slice/docker-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope")
	f.Add("/../../x.service/:")
	f.Fuzz(func(t *testing.T, path string) {
		cg := parseCgroup([]procfs.Cgroup{{HierarchyID: 0, Path: path}, {HierarchyID: 1, Controllers: []string{"name=systemd"}, Path: path}})
		if id := cg.container.id; id != "" && (len(id) != containerIDLen || !strings.Contains(path, id)) {
			t.Errorf("container %q of path %q", id, path)
		}
		if cg.service != "" && !strings.Contains(path, cg.service) {
			t.Errorf("service %q of path %q", cg.service, path)
		}
	})
}
