// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"maps"
	"slices"
	"testing"

	"github.com/tracer-agent/tracer-agent/internal/kube"
)

// cluster is what is known of pods.
type cluster map[string]*kube.Pod

func (c cluster) Pod(uid string) *kube.Pod        { return c[uid] }
func (c cluster) Remembered(uid string) *kube.Pod { return c[uid] }

const (
	uid1 = "00000000-0000-4000-8000-000000000001"
	uid2 = "00000000-0000-4000-8000-000000000002"
)

func inPod(uid string) string { return "0::/kubepods/burstable/pod" + uid + "/" + idC + "\n" }

// withPods starts a Discovery that knows the cluster.
func (w *world) withPods(rules Rules, c cluster) (*Discovery, *fakeKernel) {
	w.t.Helper()
	k := newFakeKernel()
	d, err := New(compile(w.t, rules), k, Options{ProcRoot: w.root, HostRoot: w.root, HostName: "host", Version: "1", Pods: c})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := d.Start(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return d, k
}

func byNamespaceLabel() Rules {
	return Rules{
		Include: []Rule{{NamespaceLabels: map[string]string{"tracing": "enabled"}}},
		Exclude: []Rule{{Namespaces: []string{"kube-*"}}, {PodAnnotations: map[string]string{"trace": "false"}}},
	}
}

func podIn(uid, namespace string, labels map[string]string) *kube.Pod {
	return &kube.Pod{UID: uid, Namespace: namespace, Name: "p-" + uid[35:], NamespaceLabels: labels, OwnersKnown: true}
}

func enabled() map[string]string { return map[string]string{"tracing": "enabled"} }

// A pod that is not known selects nothing and escapes no exclusion; once it is
// known its processes are judged; what its labels no longer say ends at once.
func TestPodComesAndIsLabelled(t *testing.T) {
	w := newWorld(t)
	w.put(proc{pid: 10, exe: "/bin/a", stack: 1, cgroup: inPod(uid1)})
	w.put(proc{pid: 11, exe: "/bin/a", stack: 2})
	c := cluster{}
	d, k := w.withPods(byNamespaceLabel(), c)
	wantStates(t, k, map[uint32]State{10: StateExcluded, 11: StateUnknown})
	steps := []struct {
		name string
		pod  *kube.Pod
		want State
	}{
		{"not labelled", podIn(uid1, "shop", nil), StateUnknown},
		{"labelled", podIn(uid1, "shop", enabled()), StateSelected},
		{"another value", podIn(uid1, "shop", map[string]string{"tracing": "no"}), StateUnknown},
		{"excluded", podIn(uid1, "kube-system", enabled()), StateExcluded},
		{"labelled again", podIn(uid1, "shop", enabled()), StateSelected},
		{"deleted", nil, StateExcluded},
	}
	var last *Target
	for _, step := range steps {
		c[uid1] = step.pod
		d.Refresh([]string{uid1})
		wantStates(t, k, map[uint32]State{10: step.want, 11: StateUnknown})
		target := d.Lookup(10)
		if (target != nil) != (step.want == StateSelected) {
			t.Errorf("%s: target %+v", step.name, target)
		}
		if last != nil && last.Revoked() != (step.pod != nil) {
			t.Errorf("%s: the target before is revoked: %v", step.name, last.Revoked())
		}
		last = target
	}
}

// A fork that copied its parent's verdict while that fell does not keep it,
// whether or not the event has come.
func TestForksDoNotEscapeAFall(t *testing.T) {
	for _, told := range []bool{false, true} {
		w := newWorld(t)
		w.put(proc{pid: 10, exe: "/bin/a", stack: 1, cgroup: inPod(uid1)})
		c := cluster{uid1: podIn(uid1, "shop", enabled())}
		d, k := w.withPods(byNamespaceLabel(), c)
		wantStates(t, k, map[uint32]State{10: StateSelected})
		c[uid1] = podIn(uid1, "shop", nil)
		k.before = func(tgid uint32) { // the entry of 10 is about to go
			if tgid != 10 {
				return
			}
			k.before = nil
			w.put(proc{pid: 20, ppid: 10, exe: "/bin/a", stack: 1, cgroup: inPod(uid1)})
			k.entries[20] = k.entries[10]
		}
		d.Refresh([]string{uid1})
		if told {
			d.OnFork(10, 20, true)
		}
		if target := d.Lookup(20); target != nil {
			t.Errorf("event %v: a fork has target %+v", told, target)
		}
		wantStates(t, k, map[uint32]State{10: StateUnknown, 20: StateUnknown})
	}
}

// A program that a process executes while it is reviewed does not get the verdict
// of the one before.
func TestExecDuringReview(t *testing.T) {
	w := newWorld(t)
	w.put(proc{pid: 10, exe: "/bin/a", stack: 1, cgroup: inPod(uid1)})
	c := cluster{uid1: podIn(uid1, "shop", nil)}
	rules := Rules{Include: []Rule{{Exe: []string{"/bin/a"}, NamespaceLabels: enabled()}, {Exe: []string{"/bin/a"}, Ports: port(8080)}}}
	d, k := w.withPods(rules, c)
	wantStates(t, k, map[uint32]State{10: StateCandidate})
	c[uid1] = podIn(uid1, "shop", enabled())
	writes := 0
	k.before = func(uint32) { // the second call is the write of the verdict
		if writes++; writes == 2 {
			k.before = nil
			delete(k.entries, 10)
			w.put(proc{pid: 10, exe: "/bin/b", stack: 2, cgroup: inPod(uid1)})
		}
	}
	d.Refresh([]string{uid1})
	d.OnExec(Exec{TGID: 10})
	wantStates(t, k, map[uint32]State{10: StateUnknown})
}

func TestCgroupsOfPods(t *testing.T) {
	w := newWorld(t)
	one, two := w.cg("kubepods/burstable/pod"+uid1+"/"+idC), w.cg("kubepods/burstable/pod"+uid2+"/"+idC)
	pod1 := w.cg("kubepods/burstable/pod" + uid1)
	c := cluster{uid1: podIn(uid1, "shop", enabled())}
	rules := byNamespaceLabel()
	d, k := w.withPods(rules, c)
	want := func(ids ...uint64) {
		t.Helper()
		got := slices.Sorted(maps.Keys(k.cgroups))
		slices.Sort(ids)
		if !slices.Equal(got, ids) {
			t.Errorf("cgroups %v are selected, want %v", got, ids)
		}
	}
	want(one, pod1)
	c[uid2] = podIn(uid2, "shop", enabled())
	d.Refresh([]string{uid2})
	want(one, pod1, two, w.cg("kubepods/burstable/pod"+uid2))
	c[uid1] = podIn(uid1, "shop", nil)
	d.Refresh([]string{uid1})
	want(two, w.cg("kubepods/burstable/pod"+uid2))
	made := w.cg("kubepods/burstable/pod" + uid2 + "/later")
	d.newCgroup(w.root + "/cg/kubepods/burstable/pod" + uid2 + "/later")
	want(two, w.cg("kubepods/burstable/pod"+uid2), made)
}

// What ended is revoked with its pod's namespace, as its spans may wait.
func TestExitedIsRevoked(t *testing.T) {
	w := newWorld(t)
	w.put(proc{pid: 10, exe: "/bin/a", stack: 1, cgroup: inPod(uid1)})
	c := cluster{uid1: podIn(uid1, "shop", enabled())}
	d, _ := w.withPods(byNamespaceLabel(), c)
	target := d.Lookup(10)
	w.remove(10)
	d.OnExit(10)
	if target.Revoked() || d.Lookup(10) != target {
		t.Fatal("a process that ended lost its target")
	}
	c[uid1] = podIn(uid1, "shop", nil)
	d.Refresh([]string{uid1})
	if !target.Revoked() || d.Lookup(10) != nil {
		t.Error("the target of a process that ended was not revoked with its namespace")
	}
}

// A Job's CronJob is not known at first: no rule about it selects, and one that
// excludes does.
func TestOwnerThatIsAskedFor(t *testing.T) {
	job := func(known bool, owners ...kube.Owner) *kube.Pod {
		p := podIn(uid1, "shop", nil)
		p.Owners, p.OwnersKnown = append([]kube.Owner{{Kind: "Job", Name: "report-1"}}, owners...), known
		return p
	}
	cron := kube.Owner{Kind: "CronJob", Name: "report"}
	for _, tt := range []struct {
		workload string
		pod      *kube.Pod
		include  State
		exclude  State
	}{
		{"cronjob/rep*", job(false), StateUnknown, StateExcluded},
		{"cronjob/rep*", job(true, cron), StateSelected, StateExcluded},
		{"cronjob/rep*", job(true), StateUnknown, StateSelected},
		{"job/report-1", job(false), StateSelected, StateExcluded},
		{"job/other", job(false), StateUnknown, StateSelected},
		{"deployment/report-1", job(true, cron), StateUnknown, StateSelected},
	} {
		w := newWorld(t)
		w.put(proc{pid: 10, exe: "/bin/a", stack: 1, cgroup: inPod(uid1)})
		rule := Rule{Workloads: []string{tt.workload}}
		_, k := w.withPods(Rules{Include: []Rule{rule}}, cluster{uid1: tt.pod})
		wantStates(t, k, map[uint32]State{10: tt.include})
		_, k = w.withPods(Rules{Include: []Rule{{Exe: []string{"/bin/a"}}}, Exclude: []Rule{rule}}, cluster{uid1: tt.pod})
		wantStates(t, k, map[uint32]State{10: tt.exclude})
	}
}

// Other rules: what stays selected keeps its target, what does not is revoked,
// ports get the meaning of the new rules.
func TestApply(t *testing.T) {
	w := newWorld(t)
	w.put(proc{pid: 10, exe: "/bin/a", stack: 1})
	w.put(proc{pid: 11, exe: "/bin/b", stack: 2})
	w.put(proc{pid: 12, exe: "/bin/c", stack: 3})
	w.put(proc{pid: 13, exe: "/bin/web", stack: 4, ports: []uint16{8080}})
	w.put(proc{pid: 14, exe: "/bin/web", stack: 5})
	exe := func(name string) Rule { return Rule{Exe: []string{name}} }
	web := Rule{Exe: []string{"/bin/web"}, Ports: port(8080)}
	d, k := w.started(Rules{Include: []Rule{exe("/bin/a"), exe("/bin/b"), web}})
	wantStates(t, k, map[uint32]State{10: StateSelected, 11: StateSelected, 12: StateUnknown, 13: StateSelected, 14: StateCandidate})
	stays, goes, served := d.Lookup(10), d.Lookup(11), d.Lookup(13)
	w.put(proc{pid: 13, exe: "/bin/web", stack: 4}) // it has handed its socket on

	other := Rule{Exe: []string{"/bin/web"}, Ports: port(9090)}
	if err := d.Apply(compile(t, Rules{Include: []Rule{other, exe("/bin/c"), web, exe("/bin/a")}})); err != nil {
		t.Fatal(err)
	}
	wantStates(t, k, map[uint32]State{10: StateSelected, 11: StateUnknown, 12: StateSelected, 13: StateSelected, 14: StateCandidate})
	if !goes.Revoked() || stays.Revoked() || served.Revoked() {
		t.Errorf("revoked: %v %v %v, want true, false, false", goes.Revoked(), stays.Revoked(), served.Revoked())
	}
	if now := d.Lookup(10); now.Resource != stays.Resource && !now.Resource.Equal(stays.Resource) {
		t.Errorf("what stays selected is called otherwise: %v, before %v", now.Resource, stays.Resource)
	}
	if len(k.ports) != 2 || k.ports[9090].include != 1 || k.ports[8080].include != 2 {
		t.Errorf("ports in the kernel: %+v", k.ports)
	}
	if err := d.Apply(compile(t, Rules{Include: []Rule{{Name: "named", Exe: []string{"/bin/a"}}}})); err != nil {
		t.Fatal(err)
	}
	wantStates(t, k, map[uint32]State{10: StateSelected, 11: StateUnknown, 12: StateUnknown, 13: StateUnknown, 14: StateUnknown})
	if got := d.Lookup(10); got.Service != "named" || len(k.ports) != 0 || !served.Revoked() {
		t.Errorf("service %q, ports %v, web revoked %v", got.Service, k.ports, served.Revoked())
	}
}

// What an annotation or the environment says does not change where a process is.
func TestIdentityIsNotTheirs(t *testing.T) {
	w := newWorld(t)
	w.put(proc{pid: 10, exe: "/bin/a", stack: 1, cgroup: inPod(uid1), env: []string{"OTEL_RESOURCE_ATTRIBUTES=k8s.pod.name=env,team=red"}})
	pod := podIn(uid1, "shop", enabled())
	pod.Annotations = map[string]string{
		kube.AnnotationPrefix + "k8s.namespace.name": "lie", kube.AnnotationPrefix + "service.name": "said", kube.AnnotationPrefix + "service.namespace": "area",
		kube.AnnotationPrefix + "": "x", "other": "y",
	}
	pod.Containers = []kube.Container{{ID: idC, Name: "app", Image: "r.example:5000/app:1@sha256:00", Runtime: "cri-o", Restarts: 2}}
	d, _ := w.withPods(byNamespaceLabel(), cluster{uid1: pod})
	target := d.Lookup(10)
	if target == nil {
		t.Fatal("not selected")
	}
	for key, want := range map[string]string{
		"k8s.namespace.name": "shop", "k8s.pod.name": "p-1", "service.name": "said", "service.namespace": "area", "team": "red",
		"k8s.container.name": "app", "container.image.name": "r.example:5000/app", "container.runtime.name": "cri-o", "container.id": idC,
	} {
		got := ""
		for _, kv := range target.Resource.Attributes() {
			if string(kv.Key) == key {
				got = kv.Value.AsString()
			}
		}
		if got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
}
