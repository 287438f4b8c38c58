// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/tracer-agent/tracer-agent/internal/config"
	"github.com/tracer-agent/tracer-agent/internal/discovery"
	"github.com/tracer-agent/tracer-agent/internal/kube"
)

// newCluster returns what learns from the Kubernetes API, nil if it is not to be
// asked. An API server that cannot be reached is no error.
func newCluster(cfg config.Config, rules discovery.Rules, log *slog.Logger) (*kube.Cluster, error) {
	k := cfg.Kubernetes
	if k.API == "never" {
		return nil, nil
	}
	access, err := kubeAccess(k)
	if errors.Is(err, kube.ErrNoCluster) && k.API == "auto" && !rules.UsesPods() {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reach the Kubernetes API (kubernetes.kubeconfig, or a service account): %w", err)
	}
	node, err := nodeName(k)
	if err != nil {
		return nil, err
	}
	return kube.New(access, kube.Options{Node: node, Peers: k.Peers, MaxPeers: k.MaxPeers, Log: log})
}

func kubeAccess(k config.Kubernetes) (kube.Access, error) {
	if k.Kubeconfig != "" {
		return kube.FromKubeconfig(k.Kubeconfig)
	}
	return kube.InCluster()
}

// nodeName is what the kubelet registers as if it is not told otherwise.
func nodeName(k config.Kubernetes) (string, error) {
	if k.NodeName != "" {
		return k.NodeName, nil
	}
	name, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("name of this node (kubernetes.node_name): %w", err)
	}
	return strings.ToLower(name), nil
}

// podsOf keeps a nil cluster from becoming an interface that is not nil.
func podsOf(c *kube.Cluster) discovery.Pods {
	if c == nil {
		return nil
	}
	return c
}

// clusterWait is how long the start waits for the API, so that usually what runs
// already is selected when the agent says that it is ready.
const clusterWait = 3 * time.Second

// learn begins to ask the API server and waits a little for what it says.
func (a *Agent) learn(ctx context.Context) {
	if a.cluster == nil {
		return
	}
	asking, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	a.stopCluster = func() { stop(); <-done }
	go func() { defer close(done); a.cluster.Run(asking) }()
	timer := time.NewTimer(clusterWait)
	defer timer.Stop()
	select {
	case <-a.cluster.Ready():
	case <-timer.C:
		a.log.Warn("the Kubernetes API has not answered yet: nothing in pods is selected before it does")
	case <-ctx.Done():
	}
}

// refreshPause is the least time between two refreshes: pods that start change
// several times a second.
const refreshPause = 100 * time.Millisecond

// followCluster brings the selection in step with the cluster until ctx is done.
func (a *Agent) followCluster(ctx context.Context) error {
	if a.cluster == nil {
		return nil
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.cluster.Notify():
		}
		a.discovery.Refresh(a.cluster.Changed())
		timer.Reset(refreshPause)
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
	}
}

// becomeReady says that the agent is ready, once it knows the cluster.
func (a *Agent) becomeReady(ctx context.Context) error {
	if a.cluster != nil {
		select {
		case <-a.cluster.Ready():
		case <-ctx.Done():
			return nil
		}
	}
	if a.metrics != nil {
		a.metrics.SetReady(true)
	}
	return nil
}

// askCluster reads once what the API tells of this node. Without an answer in
// time nothing is known of pods, which the explanation then says.
func askCluster(ctx context.Context, cfg config.Config, rules discovery.Rules) (c *kube.Cluster, stop func(), err error) {
	cfg.Kubernetes.Peers = false
	c, err = newCluster(cfg, rules, slog.New(slog.DiscardHandler))
	if c == nil || err != nil {
		return nil, func() {}, err
	}
	asking, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); c.Run(asking) }()
	waiting, enough := context.WithTimeout(ctx, clusterWait)
	defer enough()
	select {
	case <-c.Ready():
	case <-waiting.Done():
	}
	return c, func() { cancel(); <-done }, nil
}
