// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"
)

// sink takes the state of a collection of objects. Its methods are called by
// one goroutine.
type sink[T any] interface {
	// put takes an object that is there. generation counts the listings.
	put(o *T, generation uint64)
	remove(o *T)
	// listed says that everything that is there was put with this generation.
	listed(generation uint64)
}

// reflector keeps a sink in step with a collection: it lists, watches from
// there, and lists again when the watch cannot go on without a gap.
type reflector[T any, P interface {
	*T
	apiObject
}] struct {
	client *client
	path   string
	query  url.Values // what to select; nil: all
	meta   bool       // the metadata is enough
	sink   sink[T]
	log    *slog.Logger
	health *health

	generation uint64
	version    string // resource version up to which the sink is in step
	failing    bool   // the last attempt failed, and that was logged
}

// health counts what happened to the reflectors. Safe for concurrent use.
type health struct {
	lists, watches, failures atomic.Uint64
	events                   atomic.Uint64
	connected                atomic.Int64 // reflectors that are in step
	last                     atomic.Pointer[error]
}

// Pauses between attempts. The longest bounds how late the agent learns that
// the API server is back.
const (
	firstPause   = 200 * time.Millisecond
	longestPause = 5 * time.Second
)

// Limits of lists and watches. A page is what the API server has to hold at a
// time; of it one object is held here.
const (
	pageObjects  = 500
	listTimeout  = 2 * time.Minute
	watchSeconds = 300 // and up to as much again, so that not all agents come back together
)

// run works until ctx is done.
func (r *reflector[T, P]) run(ctx context.Context) {
	pause := firstPause
	for ctx.Err() == nil {
		began := time.Now()
		err := r.round(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			pause = firstPause
			if time.Since(began) < time.Second { // a server that ends every watch at once is not asked at once
				sleep(ctx, firstPause)
			}
			continue
		}
		r.health.failures.Add(1)
		r.health.last.Store(&err)
		if gone(err) {
			r.version = "" // list again
		}
		if time.Since(began) > 2*longestPause {
			pause = firstPause // it had worked for a while
		}
		r.complain(err)
		sleep(ctx, max(pause+rand.N(pause), retryAfter(err)))
		pause = min(2*pause, longestPause)
	}
}

// complain logs the first of a row of failures.
func (r *reflector[T, P]) complain(err error) {
	level := slog.LevelWarn
	if r.failing {
		level = slog.LevelDebug
	}
	r.failing = true
	r.log.Log(context.Background(), level, "kubernetes API: trying again", "resource", r.path, "error", err)
}

// connected notes that a watch is open.
func (r *reflector[T, P]) connected() {
	r.health.watches.Add(1)
	r.health.connected.Add(1)
	if r.failing {
		r.failing = false
		r.log.Info("kubernetes API: answers again", "resource", r.path)
	}
}

// round lists if need be and watches until the watch ends.
func (r *reflector[T, P]) round(ctx context.Context) error {
	if r.version == "" {
		if err := r.list(ctx); err != nil {
			return fmt.Errorf("list: %w", err)
		}
	}
	return r.watch(ctx)
}

func retryAfter(err error) time.Duration {
	var status *statusError
	if errors.As(err, &status) {
		return min(status.after, 30*time.Second)
	}
	return 0
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// list puts everything that is there. Without a resource version the answer is
// the newest state: an older one could select what is not to be selected any more.
func (r *reflector[T, P]) list(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	r.generation++
	r.health.lists.Add(1)
	next, version := "", ""
	for {
		page, err := r.page(ctx, next)
		if err != nil {
			return err
		}
		if version == "" {
			version = page.version
		}
		if next = page.next; next == "" {
			break
		}
	}
	r.sink.listed(r.generation)
	r.version = version
	return nil
}

func (r *reflector[T, P]) page(ctx context.Context, next string) (page, error) {
	query := r.selection()
	query.Set("limit", strconv.Itoa(pageObjects))
	if next != "" {
		query.Set("continue", next)
	}
	accept := "application/json"
	if r.meta {
		accept = metadataLists
	}
	body, err := r.client.get(ctx, r.path, query, accept)
	if err != nil {
		return page{}, err
	}
	defer body.Close()
	return readList(body, func(o *T) { r.sink.put(o, r.generation) })
}

func (r *reflector[T, P]) selection() url.Values {
	query := url.Values{}
	for key, values := range r.query {
		query[key] = values
	}
	return query
}

// watchEvent is one line of a watch.
type watchEvent struct {
	Type   string          `json:"type"`
	Object json.RawMessage `json:"object"`
}

// watch applies events until the server ends the watch, which is no error, or
// the connection fails.
func (r *reflector[T, P]) watch(ctx context.Context) error {
	seconds := watchSeconds + rand.IntN(watchSeconds)
	ctx, cancel := context.WithTimeout(ctx, time.Duration(seconds)*time.Second+headerTimeout)
	defer cancel()
	query := r.selection()
	query.Set("watch", "1")
	query.Set("allowWatchBookmarks", "true")
	query.Set("resourceVersion", r.version)
	query.Set("timeoutSeconds", strconv.Itoa(seconds))
	accept := "application/json"
	if r.meta {
		accept = metadataOnly
	}
	body, err := r.client.get(ctx, r.path, query, accept)
	if err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	defer body.Close()
	r.connected()
	defer r.health.connected.Add(-1)
	events := json.NewDecoder(body)
	for {
		var e watchEvent
		if err := events.Decode(&e); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("watch: %w", err)
		}
		if err := r.apply(&e); err != nil {
			return fmt.Errorf("watch: %w", err)
		}
	}
}

func (r *reflector[T, P]) apply(e *watchEvent) error {
	r.health.events.Add(1)
	if e.Type == "ERROR" {
		var status apiStatus
		if err := json.Unmarshal(e.Object, &status); err != nil {
			return fmt.Errorf("decode error event: %w", err)
		}
		return &statusError{code: orCode(status.Code), text: status.Message}
	}
	o := new(T)
	if err := json.Unmarshal(e.Object, o); err != nil {
		return fmt.Errorf("decode %s event: %w", e.Type, err)
	}
	switch e.Type {
	case "ADDED", "MODIFIED":
		r.sink.put(o, r.generation)
	case "DELETED":
		r.sink.remove(o)
	}
	if v := P(o).meta().ResourceVersion; v != "" { // BOOKMARK events are for this alone
		r.version = v
	}
	return nil
}

// orCode makes an error without a code one that a new list follows.
func orCode(code int) int {
	if code == 0 {
		return http.StatusGone
	}
	return code
}
