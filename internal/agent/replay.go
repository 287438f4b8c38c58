// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/tracer-agent/tracer-agent/export"
	"github.com/tracer-agent/tracer-agent/internal/config"
	"github.com/tracer-agent/tracer-agent/internal/event"
	"github.com/tracer-agent/tracer-agent/internal/record"
	"github.com/tracer-agent/tracer-agent/spanbuilder"
)

// Replay handles a recording as the agent that made it did, and hands the spans
// to exp: the same ones every time, identifiers included.
func Replay(ctx context.Context, in io.Reader, exp export.Exporter, log *slog.Logger) error {
	r, h, err := record.NewReader(in)
	if err != nil {
		return err
	}
	if h.ABI != event.Version {
		return fmt.Errorf("%w: records of version %d, this agent knows version %d", record.ErrFormat, h.ABI, event.Version)
	}
	sink := &batches{ctx: ctx, exp: exp}
	p, err := newPlayer(h, sink)
	if err != nil {
		return err
	}
	err = p.play(ctx, r)
	p.finish()
	if errors.Is(err, io.ErrUnexpectedEOF) {
		log.Warn("the recording ends within a frame: its agent was killed")
		err = nil
	}
	t := p.totals()
	log.Info("replayed", "kernel", h.Kernel, "arch", h.Arch, "backend", h.Backend, "agent", h.Agent, "complete", p.complete,
		"records", t.records, "bad_records", t.bad, "requests", t.table.Requests, "spans", t.builder.Offered)
	if t.bad > 0 {
		err = errors.Join(err, fmt.Errorf("%w: %d of %d records are not what this agent knows", record.ErrFormat, t.bad, t.records))
	}
	return errors.Join(err, sink.flush(), exp.Shutdown(ctx))
}

// ReplayFile replays the recording at path, printing spans to out as format
// says: text or json.
func ReplayFile(ctx context.Context, path, format string, out io.Writer, log *slog.Logger) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open recording: %w", err)
	}
	defer f.Close()
	exp := export.NewText(out)
	if format == "json" {
		exp = export.NewJSON(out)
	}
	if err := Replay(ctx, f, exp, log); err != nil {
		return fmt.Errorf("replay %s: %w", path, err)
	}
	return nil
}

// player is a pipeline that is told what a recording says.
type player struct {
	*pipeline
	processes map[uint32]*spanbuilder.Target
	progress  map[direction]record.Progress
	complete  bool // the recording has its end
}

type direction struct {
	conn uint64
	dir  uint64
}

func newPlayer(h record.Header, sink spanbuilder.Sink) (*player, error) {
	cfg, err := recordedConfig(h)
	if err != nil {
		return nil, err
	}
	bc, err := builderConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("%w: settings: %w", record.ErrFormat, err)
	}
	bc.Seed = new([32]byte)
	p := &player{processes: map[uint32]*spanbuilder.Target{}, progress: map[direction]record.Progress{}}
	base := &pipeline{find: func(tgid uint32) *spanbuilder.Target { return p.processes[tgid] }}
	p.pipeline, err = buildPipeline(cfg, bc, base, p, sink)
	return p, err
}

func recordedConfig(h record.Header) (config.Config, error) {
	cfg := config.Default()
	s := settings{cfg.HTTP, cfg.Propagation, cfg.Sampling, cfg.Linking, cfg.Limits, cfg.Kernel.MaxConnections}
	if err := json.Unmarshal(h.Config, &s); err != nil {
		return cfg, fmt.Errorf("%w: settings: %w", record.ErrFormat, err)
	}
	cfg.HTTP, cfg.Propagation, cfg.Sampling = s.HTTP, s.Propagation, s.Sampling
	cfg.Linking, cfg.Limits, cfg.Kernel.MaxConnections = s.Linking, s.Limits, s.Connections
	return cfg, nil
}

// Progress implements conn.Kernel.
func (p *player) Progress(id uint64, d event.Dir) (pos, ktime uint64, ok bool) {
	v, ok := p.progress[direction{id, uint64(d)}]
	return v.Pos, v.Ktime, ok
}

// ForgetProgress implements conn.Kernel.
func (p *player) ForgetProgress(id uint64, d event.Dir) { delete(p.progress, direction{id, uint64(d)}) }

// Reannounce does nothing: what was announced again is in the recording.
func (p *player) Reannounce() {}

// play handles all frames. The error is io.ErrUnexpectedEOF if the last one is cut.
func (p *player) play(ctx context.Context, r *record.Reader) error {
	for ctx.Err() == nil {
		kind, b, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = p.frame(kind, b)
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (p *player) frame(kind record.Kind, b []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch kind {
	case record.KindData:
		p.record(b)
	case record.KindControl:
		p.records++
		if !known(b) {
			p.bad.Add(1)
		}
	case record.KindTarget:
		return p.called(b)
	case record.KindProgress:
		v, err := record.Numbers(b, 4)
		if err == nil {
			p.progress[direction{v[0], v[1]}] = record.Progress{Conn: v[0], Dir: v[1], Pos: v[2], Ktime: v[3]}
		}
		return err
	case record.KindPoll:
		p.poll()
	case record.KindEnd:
		p.complete = true
	default:
		return p.timed(kind, b)
	}
	return nil
}

// timed handles frames that hold one number.
func (p *player) timed(kind record.Kind, b []byte) error {
	v, err := record.Numbers(b, 1)
	if err != nil {
		return err
	}
	switch kind {
	case record.KindClock:
		p.pipeline.clock.Set(int64(v[0]))
	case record.KindSweep:
		p.table.Sweep(v[0])
	case record.KindTick:
		p.builder.Tick(v[0])
	default:
		return fmt.Errorf("%w: frame of kind %d", record.ErrFormat, kind)
	}
	return nil
}

// known says that b is a control record that this agent can decode.
func known(b []byte) bool {
	var l event.Listen
	var e event.Proc
	switch kind, err := event.Peek(b); {
	case err != nil:
		return false
	case kind == event.KindListen:
		return l.Decode(b) == nil
	default:
		return kind == event.KindProc && e.Decode(b) == nil
	}
}

// called learns what a process is called.
func (p *player) called(b []byte) error {
	t, err := record.DecodeTarget(b)
	if err != nil {
		return err
	}
	if t.Gone {
		delete(p.processes, t.TGID)
		return nil
	}
	var attrs []attribute.KeyValue
	for k, v := range t.Resource {
		attrs = append(attrs, attribute.String(k, v))
	}
	for k, v := range t.Numbers {
		attrs = append(attrs, attribute.Int64(k, v))
	}
	for k, v := range t.Lists {
		attrs = append(attrs, attribute.StringSlice(k, v))
	}
	p.processes[t.TGID] = &spanbuilder.Target{
		Resource: resource.NewSchemaless(attrs...), Routes: p.routeSet(t.Routes), Program: t.Program,
	}
	return nil
}

// batches hands spans to an exporter in the order in which they come.
type batches struct {
	ctx   context.Context
	exp   export.Exporter
	spans []*export.Span
	err   error
}

// batchSpans is how many spans the text exporter draws as trees together.
const batchSpans = 512

// Offer implements spanbuilder.Sink.
func (s *batches) Offer(span *export.Span) bool {
	s.spans = append(s.spans, span)
	if len(s.spans) >= batchSpans {
		s.err = errors.Join(s.err, s.flush())
	}
	return true
}

func (s *batches) flush() error {
	err := s.err
	s.err = nil
	if len(s.spans) > 0 {
		err = errors.Join(err, s.exp.Export(s.ctx, s.spans))
	}
	for _, span := range s.spans {
		export.PutSpan(span)
	}
	s.spans = s.spans[:0]
	return err
}
