// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/tracer-agent/tracer-agent/export"
	"github.com/tracer-agent/tracer-agent/internal/config"
	"github.com/tracer-agent/tracer-agent/internal/demo"
)

// demoWait is how long the demo waits for spans that do not come.
const demoWait = 3 * time.Second

// Demo traces services of its own and prints their traces to out. The error
// lists what was not seen as it should have been.
func Demo(ctx context.Context, out io.Writer) error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	fleet, err := demo.StartFleet(ctx, exe)
	if err != nil {
		return err
	}
	err = demonstrate(ctx, fleet, out)
	return errors.Join(err, fleet.Close())
}

// demonstrate sends the script's requests to the fleet with an agent on it.
func demonstrate(ctx context.Context, fleet *demo.Fleet, out io.Writer) error {
	steps := demo.Script()
	var want []demo.Want
	spans := 0
	for _, s := range steps {
		want = append(want, s.Tree)
		spans += s.Tree.Count()
	}
	rec := &recorder{enough: make(chan struct{}), want: spans}
	opts := Options{
		Version: "demo", Out: out, Extra: export.NewTee(rec, export.NewText(out)),
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	a, err := Start(ctx, demoConfig(fleet), opts)
	if err != nil {
		return err
	}
	introduce(out, fleet, a)
	err = watch(ctx, a, func() error {
		if err := demo.Browse(ctx, fleet.Find(demo.Storefront), steps); err != nil {
			return fmt.Errorf("send the demo's requests: %w", err)
		}
		return rec.wait(ctx)
	})
	if err != nil {
		return err
	}
	wrong := demo.Compare(want, rec.spans)
	if len(wrong) > 0 {
		return fmt.Errorf("%d things are not as they should be:\n  %s", len(wrong), strings.Join(wrong, "\n  "))
	}
	fmt.Fprintf(out, "\nAll %d expected spans were seen, and no others.\n", spans)
	return nil
}

// watch runs a while f does what there is to be seen, and closes it.
func watch(ctx context.Context, a *Agent, f func() error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ran := make(chan error, 1)
	go func() { ran <- a.Run(ctx) }()
	err := f()
	stop()
	return errors.Join(err, <-ran, a.Close())
}

// demoConfig selects the fleet's processes and nothing else.
func demoConfig(fleet *demo.Fleet) config.Config {
	cfg := config.Default()
	cfg.Export.BatchDelay = 20 * time.Millisecond
	for _, s := range fleet.Services {
		cfg.Instrument = append(cfg.Instrument, config.Instrument{
			Name: s.Name, Routes: demo.Routes(s.Name), Selector: config.Selector{Pids: []int{s.PID}},
		})
	}
	return cfg
}

func introduce(out io.Writer, fleet *demo.Fleet, a *Agent) {
	fmt.Fprintf(out, "Four services are traced by backend %s:\n", a.probes.Backend())
	for _, s := range fleet.Services {
		fmt.Fprintf(out, "  %-10s  pid %-7d  %s\n", s.Name, s.PID, s.Address)
	}
	fmt.Fprint(out, "\nTheir spans, from what the kernel saw, together where they are of one trace:\n\n")
}
