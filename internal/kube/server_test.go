// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

type object1 = map[string]any

// fakeAPI is an API server of pods, namespaces, services and Jobs: enough of one
// to make it misbehave.
type fakeAPI struct {
	*httptest.Server

	mu       sync.Mutex
	version  int
	oldest   int                // watches from before are answered with 410
	objects  map[string]object1 // by path of the collection and UID or name
	events   []fakeEvent
	changed  chan struct{}
	down     bool
	requests []string
	end      chan struct{} // closed to end all watches
	pageSize int           // at most, whatever is asked for
}

type fakeEvent struct {
	collection, kind string
	version          int
	object           object1
}

func newFakeAPI(t *testing.T) *fakeAPI {
	t.Helper()
	f := &fakeAPI{objects: map[string]object1{}, changed: make(chan struct{}), end: make(chan struct{}), version: 1, pageSize: 2}
	f.Server = httptest.NewServer(f)
	t.Cleanup(func() { f.endWatches(); f.Close() })
	return f
}

const (
	podsPath       = "/api/v1/pods"
	namespacesPath = "/api/v1/namespaces"
	servicesPath   = "/api/v1/services"
)

// put makes or changes an object.
func (f *fakeAPI) put(collection string, o object1) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.version++
	meta := o["metadata"].(object1)
	meta["resourceVersion"] = strconv.Itoa(f.version)
	key := collection + " " + meta["uid"].(string)
	kind := "MODIFIED"
	if f.objects[key] == nil {
		kind = "ADDED"
	}
	f.objects[key] = o
	f.tell(fakeEvent{collection, kind, f.version, o})
}

func (f *fakeAPI) remove(collection, uid string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.version++
	key := collection + " " + uid
	o := f.objects[key]
	delete(f.objects, key)
	f.tell(fakeEvent{collection, "DELETED", f.version, o})
}

// tell adds an event; f.mu is held.
func (f *fakeAPI) tell(e fakeEvent) {
	f.events = append(f.events, e)
	close(f.changed)
	f.changed = make(chan struct{})
}

// endWatches ends the watches that are open, as a server does now and then.
func (f *fakeAPI) endWatches() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.end)
	f.end = make(chan struct{})
}

// forget makes the server unable to continue watches from before now.
func (f *fakeAPI) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.oldest = f.version
	f.events = nil
}

func (f *fakeAPI) setDown(down bool) {
	f.mu.Lock()
	f.down = down
	f.mu.Unlock()
	if down {
		f.endWatches()
	}
}

func (f *fakeAPI) count(part string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, r := range f.requests {
		if strings.Contains(r, part) {
			n++
		}
	}
	return n
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	down := f.down
	f.requests = append(f.requests, r.URL.RequestURI())
	f.mu.Unlock()
	switch {
	case down:
		http.Error(w, "not now", http.StatusServiceUnavailable)
	case strings.HasPrefix(r.URL.Path, "/apis/batch/v1/"):
		f.job(w, r)
	case r.URL.Query().Get("watch") != "":
		f.watch(w, r)
	default:
		f.list(w, r)
	}
}

func (f *fakeAPI) job(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o := f.objects["jobs "+r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]]
	if o == nil {
		http.Error(w, `{"kind": "Status", "message": "no such job"}`, http.StatusNotFound)
		return
	}
	json.NewEncoder(w).Encode(o)
}

// list answers in pages; the token of a page is the number of items before it.
func (f *fakeAPI) list(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	items := []object1{}
	for _, key := range sortedKeys(f.objects) {
		if strings.HasPrefix(key, r.URL.Path+" ") && selects(r, f.objects[key]) {
			items = append(items, f.objects[key])
		}
	}
	from, _ := strconv.Atoi(r.URL.Query().Get("continue"))
	page := items[min(from, len(items)):min(from+f.pageSize, len(items))]
	meta := object1{"resourceVersion": strconv.Itoa(f.version)}
	if from+f.pageSize < len(items) {
		meta["continue"] = strconv.Itoa(from + f.pageSize)
	}
	json.NewEncoder(w).Encode(object1{"kind": "List", "items": page, "metadata": meta, "extra": object1{"a": []int{1}}})
}

func selects(r *http.Request, o object1) bool {
	node, ok := strings.CutPrefix(r.URL.Query().Get("fieldSelector"), "spec.nodeName=")
	if !ok {
		return true
	}
	spec, _ := o["spec"].(object1)
	return spec["nodeName"] == node
}

func (f *fakeAPI) watch(w http.ResponseWriter, r *http.Request) {
	from, _ := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	enc := json.NewEncoder(w)
	for {
		f.mu.Lock()
		oldest, changed, end := f.oldest, f.changed, f.end
		var due []fakeEvent
		for _, e := range f.events {
			if e.version > from && e.collection == r.URL.Path && selects(r, e.object) {
				due = append(due, e)
			}
		}
		latest := f.version
		f.mu.Unlock()
		if from < oldest {
			enc.Encode(object1{"type": "ERROR", "object": object1{"kind": "Status", "code": 410, "message": "too old resource version"}})
			return
		}
		for _, e := range due {
			enc.Encode(object1{"type": e.kind, "object": e.object})
		}
		if from = latest; len(due) == 0 {
			enc.Encode(object1{"type": "BOOKMARK", "object": object1{"metadata": object1{"resourceVersion": strconv.Itoa(latest)}}})
		}
		w.(http.Flusher).Flush()
		select {
		case <-changed:
		case <-end:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// uid makes a UID of a number.
func uid(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		<-time.After(2 * time.Millisecond)
	}
}
