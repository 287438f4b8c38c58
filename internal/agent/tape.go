// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"golang.org/x/sys/unix"

	"github.com/tracer-agent/tracer-agent/internal/config"
	"github.com/tracer-agent/tracer-agent/internal/conn"
	"github.com/tracer-agent/tracer-agent/internal/discovery"
	"github.com/tracer-agent/tracer-agent/internal/event"
	"github.com/tracer-agent/tracer-agent/internal/record"
	"github.com/tracer-agent/tracer-agent/internal/redact"
	"github.com/tracer-agent/tracer-agent/probes"
)

// Recording says where what the kernel reports is stored.
type Recording struct {
	File  string // "": nowhere
	Limit int64  // bytes at most
}

// tape records what a pipeline is told, in the order in which it acts. A nil
// tape records nothing. All methods but control are for the holder of the
// pipeline's mu.
type tape struct {
	w       *record.Writer
	mask    *record.Masker
	log     *slog.Logger
	buf     []byte                       // the record at hand, masked
	targets map[uint32]*discovery.Target // as written last
	offset  int64                        // of the clock, as written last
	full    bool                         // it was said that the recording is incomplete
}

// settings are what spans depend on, of the configuration.
type settings struct {
	HTTP        config.HTTP
	Propagation config.Propagation
	Sampling    config.Sampling
	Linking     config.Linking
	Limits      config.Limits
	Connections int
}

func newTape(cfg config.Config, opts Options, b probes.Backend, log *slog.Logger) (*tape, error) {
	if opts.Record.File == "" {
		return nil, nil
	}
	text, err := json.Marshal(settings{cfg.HTTP, cfg.Propagation, cfg.Sampling, cfg.Linking, cfg.Limits, cfg.Kernel.MaxConnections})
	if err != nil {
		return nil, fmt.Errorf("encode settings of recording: %w", err)
	}
	secrets, err := redact.NewNames(append(redact.Defaults(), cfg.HTTP.RedactQuery...))
	if err != nil {
		return nil, err
	}
	var key [8]byte
	if _, err := rand.Read(key[:]); err != nil {
		return nil, fmt.Errorf("make key of recording: %w", err)
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return nil, fmt.Errorf("ask the kernel's name: %w", err)
	}
	w, err := record.Create(opts.Record.File, opts.Record.Limit, record.Header{
		ABI: event.Version, Agent: opts.Version, Backend: string(b), Started: time.Now().UTC().Format(time.RFC3339),
		Kernel: unix.ByteSliceToString(u.Release[:]), Arch: unix.ByteSliceToString(u.Machine[:]), Config: text,
	})
	if err != nil {
		return nil, err
	}
	headers := slices.Concat(cfg.HTTP.CaptureRequestHeaders, cfg.HTTP.CaptureResponseHeaders, cfg.Propagation.CorrelationHeaders)
	return &tape{
		w: w, mask: record.NewMasker(headers, secrets, cfg.Kernel.MaxConnections, binary.NativeEndian.Uint64(key[:])),
		log: log, targets: map[uint32]*discovery.Target{},
	}, nil
}

// data records a record of the data ring, after it was handled.
func (t *tape) data(b []byte) {
	if t == nil {
		return
	}
	t.buf = append(t.buf[:0], b...)
	if err := t.mask.Mask(t.buf); err != nil {
		return // the pipeline counts it
	}
	t.w.Frame(record.KindData, t.buf)
}

// control records a record of the control ring that is about a selected process.
// For any goroutine.
func (t *tape) control(b []byte) {
	if t == nil {
		return
	}
	var p event.Proc
	var l event.Listen
	kind, err := event.Peek(b)
	if err == nil && (kind == event.KindProc && p.Decode(b) == nil && p.Selected || kind == event.KindListen && l.Decode(b) == nil && l.Selected) {
		t.w.Frame(record.KindControl, b)
	}
}

// mark records that something was done.
func (t *tape) mark(k record.Kind, numbers ...uint64) {
	if t != nil {
		t.w.Number(k, numbers...)
	}
}

// clock records an offset, if it is not the one in force.
func (t *tape) clock(offset int64) {
	if t == nil || offset == t.offset {
		return
	}
	t.offset = offset
	t.mark(record.KindClock, uint64(offset))
}

// target records what a process is called, if it is not known. d is nil if the
// process is not traced.
func (t *tape) target(tgid uint32, d *discovery.Target, s *programs) {
	if t == nil {
		return
	}
	if was, known := t.targets[tgid]; known && was == d {
		return
	}
	if len(t.targets) >= maxTargets {
		clear(t.targets)
	}
	t.targets[tgid] = d
	out := record.Target{TGID: tgid, Gone: d == nil}
	if d != nil {
		out = recordedTarget(tgid, d)
		out.Program = s.kind(tgid)
	}
	if err := t.w.Target(out); err != nil {
		t.log.Warn("target not recorded", "pid", tgid, "error", err)
	}
}

func recordedTarget(tgid uint32, d *discovery.Target) record.Target {
	out := record.Target{TGID: tgid, Routes: d.Routes, Resource: map[string]string{}, Numbers: map[string]int64{}, Lists: map[string][]string{}}
	for _, a := range d.Resource.Attributes() {
		switch a.Value.Type() {
		case attribute.INT64:
			out.Numbers[string(a.Key)] = a.Value.AsInt64()
		case attribute.STRINGSLICE:
			out.Lists[string(a.Key)] = a.Value.AsStringSlice()
		default:
			out.Resource[string(a.Key)] = a.Value.Emit()
		}
	}
	return out
}

// flush writes what was recorded to the file, and says once if not all of it is there.
func (t *tape) flush() {
	if t == nil {
		return
	}
	err := t.w.Flush()
	if _, skipped := t.w.Counts(); (skipped > 0 || err != nil) && !t.full {
		t.full = true
		t.log.Warn("the recording ends here: the file is full", "error", err)
	}
}

func (t *tape) close() error {
	if t == nil {
		return nil
	}
	written, skipped := t.w.Counts()
	t.log.Info("recorded", "frames", written, "frames_not_recorded", skipped)
	return t.w.Close()
}

// kernel returns k, whose answers are recorded.
func (t *tape) kernel(k conn.Kernel) conn.Kernel {
	if t == nil {
		return k
	}
	return tapedKernel{k, t}
}

type tapedKernel struct {
	conn.Kernel
	tape *tape
}

// Progress implements conn.Kernel.
func (k tapedKernel) Progress(id uint64, d event.Dir) (pos, ktime uint64, ok bool) {
	pos, ktime, ok = k.Kernel.Progress(id, d)
	if ok {
		k.tape.mark(record.KindProgress, id, uint64(d), pos, ktime)
	}
	return pos, ktime, ok
}
