// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
)

// maxJobs bounds the Jobs whose owner is remembered.
const maxJobs = 4096

// jobs asks which CronJob, if any, a Job belongs to: one request for each Job
// that has a pod on this node.
type jobs struct {
	client *client
	known  func(namespace, job string)
	log    *slog.Logger

	mu     sync.Mutex
	owners map[jobName]*Owner // nil: not answered yet; empty: it has none
	queue  chan jobName
}

type jobName struct{ namespace, name string }

func newJobs(c *client, known func(namespace, job string), log *slog.Logger) *jobs {
	return &jobs{client: c, known: known, log: log, owners: map[jobName]*Owner{}, queue: make(chan jobName, maxJobs)}
}

// owner returns the owner of a Job, empty if it has none.
func (j *jobs) owner(namespace, job string) (o Owner, known bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if found := j.owners[jobName{namespace, job}]; found != nil {
		return *found, true
	}
	return Owner{}, false
}

// want asks for a Job's owner, once.
func (j *jobs) want(namespace, job string) {
	name := jobName{namespace, job}
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, asked := j.owners[name]; asked {
		return
	}
	if len(j.owners) >= maxJobs {
		clear(j.owners)
	}
	select {
	case j.queue <- name:
		j.owners[name] = nil
	default: // it is asked for when its pod changes next
	}
}

func (j *jobs) run(ctx context.Context) {
	pause := firstPause
	for {
		select {
		case <-ctx.Done():
			return
		case name := <-j.queue:
			owner, err := j.ask(ctx, name)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				j.log.Warn("owner of a Job is not known", "namespace", name.namespace, "job", name.name, "error", err)
				sleep(ctx, pause)
				pause = min(2*pause, longestPause)
				j.again(name)
				continue
			}
			pause = firstPause
			j.answer(name, owner)
		}
	}
}

// again puts a Job back whose owner could not be asked for.
func (j *jobs) again(name jobName) {
	select {
	case j.queue <- name:
	default:
		j.mu.Lock()
		delete(j.owners, name)
		j.mu.Unlock()
	}
}

func (j *jobs) answer(name jobName, owner Owner) {
	j.mu.Lock()
	j.owners[name] = &owner
	j.mu.Unlock()
	j.known(name.namespace, name.name)
}

// ask reads the metadata of a Job. One that is not there any more has no owner
// that could be named.
func (j *jobs) ask(ctx context.Context, name jobName) (Owner, error) {
	ctx, cancel := context.WithTimeout(ctx, headerTimeout)
	defer cancel()
	path := "/apis/batch/v1/namespaces/" + url.PathEscape(name.namespace) + "/jobs/" + url.PathEscape(name.name)
	body, err := j.client.get(ctx, path, nil, metadataOnly)
	var status *statusError
	if errors.As(err, &status) && status.code == http.StatusNotFound {
		return Owner{}, nil
	}
	if err != nil {
		return Owner{}, err
	}
	defer body.Close()
	var o object
	if err := json.NewDecoder(body).Decode(&o); err != nil {
		return Owner{}, fmt.Errorf("decode Job: %w", err)
	}
	ref, ok := o.Metadata.controller()
	if !ok {
		return Owner{}, nil
	}
	return Owner{Kind: ref.Kind, Name: ref.Name}, nil
}
