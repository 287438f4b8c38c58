// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"maps"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
)

const testContainer = "abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"

// attributes builds the resource of a process of a world.
func attributes(t *testing.T, w *world, pid uint32, rule string) (map[string]string, string, error) {
	t.Helper()
	r := newResources(Options{ProcRoot: w.root, HostRoot: w.root, HostName: "host", Version: "1.2.3"})
	res, service, err := r.build(w.process(pid), rule)
	got := map[string]string{}
	for _, kv := range res.Attributes() {
		got[string(kv.Key)] = kv.Value.Emit()
	}
	return got, service, err
}

func TestServiceNamePrecedence(t *testing.T) {
	unit := "0::/system.slice/my\\x2dshop@eu.service\n"
	tests := []struct {
		name, rule string
		proc       proc
		want       string
	}{
		{"everything", "rule", proc{env: []string{"OTEL_RESOURCE_ATTRIBUTES=service.name=attr", "OTEL_SERVICE_NAME=env"}, cgroup: unit}, "env"},
		{"resource attributes", "rule", proc{env: []string{"OTEL_RESOURCE_ATTRIBUTES=a=b,service.name=at%20tr"}, cgroup: unit}, "at tr"},
		{"empty variable is unset", "rule", proc{env: []string{"OTEL_SERVICE_NAME="}, cgroup: unit}, "rule"},
		{"first of equal variables", "", proc{env: []string{"OTEL_SERVICE_NAME=1", "OTEL_SERVICE_NAME=2"}}, "1"},
		{"rule", "rule", proc{cgroup: unit}, "rule"},
		{"unit", "", proc{cgroup: unit}, "my-shop@eu"},
		{"executable", "", proc{}, "server"},
		{"runtime's unit", "", proc{cgroup: "0::/system.slice/docker.service/docker/" + testContainer + "\n"}, "server"},
		{"malformed attributes", "", proc{env: []string{"OTEL_RESOURCE_ATTRIBUTES=service.name=x,y=%zz"}}, "server"},
		{"malformed attributes, good name", "", proc{env: []string{"OTEL_RESOURCE_ATTRIBUTES=%", "OTEL_SERVICE_NAME=env"}}, "env"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			tt.proc.pid, tt.proc.exe = 10, "/opt/server"
			w.put(tt.proc)
			got, service, _ := attributes(t, w, 10, tt.rule)
			if service != tt.want || got["service.name"] != tt.want {
				t.Errorf("service %q, attribute %q, want %q", service, got["service.name"], tt.want)
			}
		})
	}
}

func TestResourceAttributes(t *testing.T) {
	w := newWorld(t)
	w.write("etc/machine-id", "0123456789abcdef\n")
	w.put(proc{
		pid: 10, start: 77, exe: "/opt/server", argv: []string{"server", "--password=secret"}, uid: 0,
		env: []string{"PASSWORD=secret", "OTEL_RESOURCE_ATTRIBUTES=service.namespace=shop,service.version=9,team=a%2Cb,telemetry.distro.name=fake,"},
	})
	got, _, err := attributes(t, w, 10, "")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"service.name": "server", "service.namespace": "shop", "service.version": "9", "team": "a,b",
		"service.instance.id": got["service.instance.id"], "process.pid": "10", "process.executable.name": "server",
		"process.executable.path": "/opt/server", "process.owner": "root", "host.name": "host", "host.id": "0123456789abcdef",
		"os.type": "linux", "telemetry.distro.name": "tracer-agent", "telemetry.distro.version": "1.2.3",
		"telemetry.sdk.name": "tracer-agent", "telemetry.sdk.version": "1.2.3", "telemetry.sdk.language": "go",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	for key, value := range got {
		if strings.Contains(value, "secret") {
			t.Errorf("%s leaks %q", key, value)
		}
	}
}

func TestResourceInContainer(t *testing.T) {
	w := newWorld(t)
	w.put(proc{pid: 10, exe: "/server", uid: 0, cgroup: "0::/docker/" + testContainer + "\n"})
	got, _, err := attributes(t, w, 10, "")
	if err != nil {
		t.Fatal(err)
	}
	if got["container.id"] != testContainer {
		t.Errorf("container.id %q", got["container.id"])
	}
	if owner, ok := got["process.owner"]; ok {
		t.Errorf("the host's name %q for a container's user", owner)
	}
}

func TestInstanceID(t *testing.T) {
	w := newWorld(t)
	id := func(p proc) string {
		p.exe = "/a"
		w.put(p)
		got, _, _ := attributes(t, w, p.pid, "")
		return got["service.instance.id"]
	}
	first := id(proc{pid: 10, start: 5})
	if again := id(proc{pid: 10, start: 5, env: []string{"A=B"}}); again != first {
		t.Errorf("%s and %s for one instance", first, again)
	}
	if first[14] != '5' {
		t.Errorf("%s is not a UUID of version 5", first)
	}
	for name, p := range map[string]proc{"start": {pid: 10, start: 6}, "pid": {pid: 11, start: 5}} {
		if other := id(p); other == first {
			t.Errorf("another %s has the same id %s", name, other)
		}
	}
	if own := id(proc{pid: 10, start: 5, env: []string{"OTEL_RESOURCE_ATTRIBUTES=service.instance.id=mine"}}); own != "mine" {
		t.Errorf("the process's own id was replaced by %q", own)
	}
}

func TestParseResourceAttributes(t *testing.T) {
	many := strings.TrimSuffix(strings.Repeat("a=b,", maxEnvAttributes+1), ",")
	for _, bad := range []string{"a", "=b", "a=b,c", "a=%", "a=%zz", many} {
		if attrs, err := parseResourceAttributes(bad); err == nil || attrs != nil {
			t.Errorf("%.20q parsed as %v", bad, attrs)
		}
	}
	attrs, err := parseResourceAttributes(" a = b=c , d=,e=1+1%00%ff")
	want := []attribute.KeyValue{attribute.String("a", "b=c"), attribute.String("d", ""), attribute.String("e", "1+1\x00\uFFFD")}
	if err != nil || len(attrs) != len(want) {
		t.Fatalf("%v, %v", attrs, err)
	}
	for i := range want {
		if attrs[i] != want[i] {
			t.Errorf("attribute %d: %v, want %v", i, attrs[i], want[i])
		}
	}
}

func TestProgramName(t *testing.T) {
	tests := []struct{ exe, argv, want string }{
		{"/usr/sbin/nginx", "nginx: master process", "nginx"},
		{"/usr/bin/python3.11", "python3 /srv/app.py --x", "app"},
		{"/usr/bin/python3.11", "/usr/bin/python3 /usr/bin/gunicorn shop:app", "gunicorn"},
		{"/usr/bin/python3.11", "python3 -u -W ignore -m http.server 80", "http.server"},
		{"/usr/bin/python3.11", "python3 -c import_x", "python3.11"},
		{"/usr/bin/python3.11", "python3", "python3.11"},
		{"/usr/bin/python3.11", "python3 -m", "python3.11"},
		{"/usr/bin/node", "node --require ./tracing.js dist/server.mjs", "server"},
		{"/usr/bin/node", "node -e code", "node"},
		{"/usr/bin/ruby3.1", "ruby -I lib bin/web.rb", "web"},
		{"/usr/bin/ruby3.1", "puma 5.6.5 (tcp://localhost:1) [x]", "ruby3.1"},
		{"/usr/lib/jvm/java-17/bin/java", "java -Xmx1g -cp a:b -Dx=y com.example.Main arg", "Main"},
		{"/usr/lib/jvm/java-17/bin/java", "java -jar /opt/shop.jar", "shop"},
		{"/usr/lib/jvm/java-17/bin/java", "java -m shop/com.example.Main", "Main"},
		{"/usr/bin/perl", "perl -I lib /srv/app.psgi", "app"},
		{"/opt/nodejs-app", "nodejs-app x.js", "nodejs-app"},
	}
	for _, tt := range tests {
		argv := strings.Split(tt.argv, " ")
		if strings.HasPrefix(tt.argv, "puma") {
			argv = []string{tt.argv} // a rewritten title is one string
		}
		if got := programName(tt.exe, argv); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.argv, got, tt.want)
		}
	}
}

// A container outside of Kubernetes is called as its runtime's state calls it.
func TestContainerOutsideOfPods(t *testing.T) {
	w := newWorld(t)
	w.write("var/lib/docker/containers/"+testContainer+"/config.v2.json", `{"Name": "/shop-1"}`)
	w.put(proc{pid: 10, exe: "/bin/a", stack: 1, cgroup: "0::/system.slice/docker-" + testContainer + ".scope\n"})
	w.put(proc{pid: 11, exe: "/bin/a", stack: 2, cgroup: "0::/machine.slice/libpod-" + testContainer + ".scope\n"})
	for pid, want := range map[uint32][3]string{10: {testContainer, "docker", "shop-1"}, 11: {testContainer, "podman", ""}} {
		got, _, err := attributes(t, w, pid, "")
		if err != nil || [3]string{got["container.id"], got["container.runtime.name"], got["container.name"]} != want {
			t.Errorf("process %d: %v, %v; want %v", pid, got, err, want)
		}
	}
}
