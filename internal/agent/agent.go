// SPDX-License-Identifier: Apache-2.0

// Package agent puts the parts together: probes, discovery, connections,
// spans, export, and the agent's own metrics.
package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/tracer-agent/tracer-agent/export"
	"github.com/tracer-agent/tracer-agent/internal/config"
	"github.com/tracer-agent/tracer-agent/internal/discovery"
	"github.com/tracer-agent/tracer-agent/internal/kube"
	"github.com/tracer-agent/tracer-agent/internal/selfmetrics"
	"github.com/tracer-agent/tracer-agent/probes"
)

// Agent is a running tracer. Start attaches it, Run traces, Close detaches and
// flushes.
type Agent struct {
	cfg       config.Config
	log       *slog.Logger
	probes    *probes.Probes
	programs  *programs
	discovery *discovery.Discovery
	queue     *export.Queue
	exporter  string
	pipeline  *pipeline
	control   *probes.Ring
	data      *probes.Ring
	metrics   *selfmetrics.Server
	tape      *tape // nil: nothing is recorded

	cluster     *kube.Cluster // nil: the Kubernetes API is not asked
	stopCluster func()        // nil: it was not started
	reload      Reload
	configState fileState // of the file when the configuration was read
	reloads     reloads
	portRoom    int // ports that the kernel's map has room for
}

// Options are what an Agent needs besides the configuration.
type Options struct {
	Version string
	Out     io.Writer       // text or JSON spans
	Log     *slog.Logger    //
	Extra   export.Exporter // if not nil, spans go here and nowhere else
	Reload  Reload          // of the configuration
	Record  Recording       // of what the kernel reports
}

// Start loads the programs, judges the processes that run, and starts the
// exporter. When it returns, what is selected is being captured.
func Start(ctx context.Context, cfg config.Config, opts Options) (*Agent, error) {
	a := &Agent{cfg: cfg, log: opts.Log, reload: opts.Reload, configState: stateOf(opts.Reload.File)}
	if err := a.start(ctx, opts); err != nil {
		a.release()
		return nil, err
	}
	return a, nil
}

func (a *Agent) start(ctx context.Context, opts Options) error {
	rules := rulesOf(a.cfg)
	matcher, err := discovery.Compile(rules)
	if err != nil {
		return fmt.Errorf("compile selection: %w", err)
	}
	if a.cluster, err = newCluster(a.cfg, rules, a.log); err != nil {
		return err
	}
	exporter, name, err := newExporter(ctx, a.cfg, opts)
	if err != nil {
		return err
	}
	a.exporter = name
	a.queue = export.NewQueue(exporter, queueConfig(a.cfg), a.log)
	po := probeOptions(a.cfg, rules)
	po.SelectCgroups = po.SelectCgroups || a.cluster != nil
	a.portRoom = po.Ports
	if a.probes, err = probes.Open(po, a.log); err != nil {
		return err
	}
	a.programs = newPrograms(a.probes, a.cfg.Linking.LookIntoProcesses, a.log)
	do := discoveryOptions(a.log, opts.Version)
	do.Pods = podsOf(a.cluster)
	a.discovery, err = discovery.New(matcher, kernel{a.probes, a.programs}, do)
	if err != nil {
		return fmt.Errorf("set up discovery: %w", err)
	}
	a.programs.runs = a.discovery.Runs
	if a.tape, err = newTape(a.cfg, opts, a.probes.Backend(), a.log); err != nil {
		return err
	}
	if a.pipeline, err = newPipeline(a.cfg, a.probes, a.discovery, a.programs, peersOf(a.cluster), a.queue, a.tape); err != nil {
		return err
	}
	if a.control, err = a.probes.ControlRing(); err != nil {
		return err
	}
	a.pipeline.behind = func() bool {
		return !a.pipeline.silent.Load() && (a.control.Waiting() || a.pipeline.handling.Load())
	}
	if a.data, err = a.probes.DataRing(); err != nil {
		return err
	}
	a.learn(ctx)
	if err := a.discovery.Start(ctx); err != nil {
		return fmt.Errorf("look for processes to trace: %w", err)
	}
	if !a.programs.bare.Load() {
		if err := a.programs.try(); err != nil { // with all that it has: nothing will help
			a.programs.withoutProbes(err)
		}
	}
	a.programs.catchUp()
	a.shrink()
	return a.listen()
}

func (a *Agent) listen() error {
	if a.cfg.Metrics.Listen == "" {
		return nil
	}
	s, err := selfmetrics.Listen(a.cfg.Metrics.Listen, a.samples, a.log)
	if err != nil {
		return fmt.Errorf("listen for metrics: %w", err)
	}
	a.metrics = s
	s.SetReady(a.cluster == nil)
	return nil
}

// Ready is the line that says what the agent is about to do.
func (a *Agent) Ready() string {
	s := a.discovery.Stats()
	line := fmt.Sprintf("tracer-agent ready: backend=%s processes=%d exporter=%s", a.probes.Backend(), s.Selected, a.exporter)
	if s.Cgroups > 0 {
		line += fmt.Sprintf(" cgroups=%d", s.Cgroups)
	}
	if a.metrics != nil {
		line += fmt.Sprintf(" metrics=http://%s/metrics", a.metrics.Addr())
	}
	return line
}

// processors is how many threads run Go code at a time, on a machine of any
// size: a few are enough, and one must be free for a new process's verdict when
// the others wait for a processor.
const processors = 4

// heapGrowth is how much the heap may grow between collections, per cent: a span
// leaves a hundred bytes of garbage, and a collection costs as much as a thousand
// spans, whatever there is to collect.
const heapGrowth = 200

// shrink gives back what only starting needed: the kernel's types, and code.
func (a *Agent) shrink() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapGrowth)
	}
	debug.FreeOSMemory()
	if err := dropCode(); err != nil {
		a.log.Debug("pages of the program not given back", "error", err)
	}
}

// Run traces until ctx is done or reading fails, then detaches the programs and
// handles what they had reported.
func (a *Agent) Run(ctx context.Context) error {
	runtime.GOMAXPROCS(processors)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	failed := make(chan error, 8)
	spawn := func(f func() error) { go func() { failed <- f(); stop() }() }
	prepared := make(chan struct{})
	spawn(func() error { return a.readControl(prepared) })
	spawn(func() error { return a.readData(ctx) })
	spawn(func() error { return a.keepTime(ctx) })
	spawn(func() error { a.discovery.Run(ctx); return nil })
	spawn(func() error { return wait(ctx, a.followCluster) })
	spawn(func() error { return wait(ctx, a.followConfig) })
	spawn(func() error { return wait(ctx, a.becomeReady) })
	<-prepared
	a.programs.looking.Lock() // a probe that is put in while capabilities are tried may be refused
	a.dropCapabilities()
	a.programs.looking.Unlock()
	a.tell("READY=1")
	spawn(func() error { a.programs.run(ctx); return nil }) // not while capabilities are tried
	<-ctx.Done()
	a.tell("STOPPING=1")
	// What is in the rings is still handled: requests that were answered get their spans.
	errs := []error{a.probes.Detach(), a.control.Stop(), a.data.Stop()}
	for range cap(failed) {
		errs = append(errs, <-failed)
	}
	a.pipeline.finish()
	return errors.Join(errs...)
}

// wait does what may end early, and then waits for ctx: an end would stop the agent.
func wait(ctx context.Context, do func(context.Context) error) error {
	if err := do(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// Close flushes the queue within the configured time and frees everything.
func (a *Agent) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), a.cfg.Export.ShutdownTimeout)
	defer cancel()
	var errs []error
	if a.metrics != nil {
		a.metrics.SetReady(false)
		errs = append(errs, a.metrics.Close(ctx))
		a.metrics = nil
	}
	if a.queue != nil {
		errs = append(errs, a.queue.Close(ctx))
		a.logTotals()
		a.queue = nil
	}
	errs = append(errs, a.release())
	return errors.Join(errs...)
}

// logTotals says at the end what became of everything.
func (a *Agent) logTotals() {
	if a.pipeline == nil {
		return
	}
	t, q := a.pipeline.totals(), a.queue.Stats()
	k, err := a.probes.Stats()
	if err != nil {
		a.log.Warn("kernel counters unreadable", "error", err)
	}
	a.log.Info("stopped", "requests", t.table.Requests, "spans_exported", q.Exported,
		"spans_dropped", q.DroppedTotal(), "exchanges_lost", t.table.DroppedLost+t.table.DroppedBroken+t.table.DroppedEvicted,
		"exchanges_open", t.table.OpenExchanges, "records_lost", k.LostRecords)
}

// release frees what Start made, in any state.
func (a *Agent) release() error {
	var errs []error
	if a.queue != nil {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		errs = append(errs, a.queue.Close(ctx))
		a.queue = nil
	}
	if a.stopCluster != nil {
		a.stopCluster()
		a.stopCluster = nil
	}
	for _, r := range []*probes.Ring{a.control, a.data} {
		if r != nil {
			errs = append(errs, r.Close())
		}
	}
	errs = append(errs, a.tape.close())
	a.tape = nil
	if a.programs != nil {
		a.programs.close()
	}
	if a.probes != nil {
		errs = append(errs, a.probes.Close())
		a.probes = nil
	}
	return errors.Join(errs...)
}

// Run starts an agent, says so on standard error, traces until ctx is done,
// and flushes.
func Run(ctx context.Context, cfg config.Config, opts Options) error {
	a, err := Start(ctx, cfg, opts)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, a.Ready())
	err = a.Run(ctx)
	return errors.Join(err, a.Close())
}
