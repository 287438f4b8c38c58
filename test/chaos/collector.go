// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

// behaviour is what the collector does with export requests.
type behaviour int

const (
	accept   behaviour = iota
	hang               // never answer
	reset              // read a little and reset the connection
	throttle           // 429 with Retry-After, RESOURCE_EXHAUSTED with RetryInfo
	partial            // take all but a few spans of each request
)

const (
	protocolGRPC = "grpc"
	protocolHTTP = "http/protobuf"

	retryAfter    = 3 * time.Second // what throttle asks for
	partialRefuse = 3               // spans that partial refuses, of each request
)

// collector receives OTLP by one protocol and misbehaves on demand. It counts
// spans and keeps none. Its methods may be called from any goroutine.
type collector struct {
	protocol, addr string

	mu       sync.Mutex
	mode     behaviour
	changed  chan struct{} // closed when the mode changes
	stop     func()        // nil while it does not listen
	conns    map[net.Conn]bool
	ids      map[[8]byte]bool
	repeated int // spans that came twice
	strange  int // spans that are not of kind SERVER
	attempts []time.Time
}

// newCollector listens on a free port.
func newCollector(protocol string) (*collector, error) {
	c := &collector{protocol: protocol, addr: "127.0.0.1:0", changed: make(chan struct{}), conns: map[net.Conn]bool{}, ids: map[[8]byte]bool{}}
	return c, c.open()
}

func (c *collector) url() string { return "http://" + c.addr }

// open makes it listen, on the same port every time.
func (c *collector) open() error {
	l, err := net.Listen("tcp", c.addr)
	if err != nil {
		return fmt.Errorf("collector: %w", err)
	}
	c.addr = l.Addr().String()
	l = &watchedListener{Listener: l, c: c}
	var stop func()
	if c.protocol == protocolGRPC {
		server := grpc.NewServer()
		collectorpb.RegisterTraceServiceServer(server, grpcService{c: c})
		go func() { _ = server.Serve(l) }() // ends by Stop
		stop = server.Stop
	} else {
		mux := http.NewServeMux()
		mux.HandleFunc("POST /v1/traces", c.serveHTTP)
		server := &http.Server{Handler: mux}
		go func() { _ = server.Serve(l) }() // ends by Close
		stop = func() { _ = server.Close() }
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stop = stop
	return nil
}

// shut makes the port refuse connections and closes those that there are.
func (c *collector) shut() {
	c.mu.Lock()
	stop := c.stop
	c.stop = nil
	c.mu.Unlock()
	if stop != nil {
		c.behave(accept) // what hangs would hold up the end
		stop()
	}
}

// behave changes the mode; requests that hang are let go with an error.
func (c *collector) behave(mode behaviour) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mode = mode
	close(c.changed)
	c.changed = make(chan struct{})
	if mode == reset {
		for conn := range c.conns {
			abort(conn)
		}
	}
}

// abort ends a connection by RST.
func abort(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

var errLetGo = errors.New("let go")

// take handles one export request: it returns how many spans were refused. An
// error of errLetGo means that no answer was intended.
func (c *collector) take(ctx context.Context, msg *collectorpb.ExportTraceServiceRequest) (mode behaviour, refused int, err error) {
	c.mu.Lock()
	mode, changed := c.mode, c.changed
	c.attempts = append(c.attempts, time.Now())
	c.mu.Unlock()
	switch mode {
	case hang:
		select {
		case <-changed:
		case <-ctx.Done():
		}
		return mode, 0, errLetGo
	case reset, throttle:
		return mode, 0, errLetGo
	case partial:
		refused = partialRefuse
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	skip := refused
	for _, rs := range msg.GetResourceSpans() {
		for _, ss := range rs.GetScopeSpans() {
			for _, span := range ss.GetSpans() {
				if skip > 0 {
					skip--
					continue
				}
				c.count(span)
			}
		}
	}
	return mode, refused - skip, nil
}

func (c *collector) count(span *tracepb.Span) {
	var id [8]byte
	copy(id[:], span.GetSpanId())
	if c.ids[id] {
		c.repeated++
	}
	c.ids[id] = true
	if span.GetKind() != tracepb.Span_SPAN_KIND_SERVER {
		c.strange++
	}
}

// spans is how many different spans have been taken.
func (c *collector) spans() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.ids)
}

// tries returns when export requests came, and forgets them.
func (c *collector) tries() []time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.attempts
	c.attempts = nil
	return list
}

func (c *collector) serveHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the agent gave up
	}
	var msg collectorpb.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &msg); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	mode, refused, err := c.take(r.Context(), &msg)
	w.Header().Set("Content-Type", "application/x-protobuf")
	switch {
	case mode == throttle:
		w.Header().Set("Retry-After", fmt.Sprint(int(retryAfter.Seconds())))
		w.WriteHeader(http.StatusTooManyRequests)
	case err != nil:
		w.WriteHeader(http.StatusServiceUnavailable)
	case refused > 0:
		answer, err := proto.Marshal(refusal(refused))
		if err == nil {
			_, _ = w.Write(answer)
		}
	}
}

func refusal(n int) *collectorpb.ExportTraceServiceResponse {
	return &collectorpb.ExportTraceServiceResponse{PartialSuccess: &collectorpb.ExportTracePartialSuccess{
		RejectedSpans: int64(n), ErrorMessage: "these are not wanted"}}
}

// grpcService is the collector's gRPC face.
type grpcService struct {
	collectorpb.UnimplementedTraceServiceServer
	c *collector
}

// Export implements the OTLP trace service.
func (g grpcService) Export(ctx context.Context, msg *collectorpb.ExportTraceServiceRequest) (*collectorpb.ExportTraceServiceResponse, error) {
	mode, refused, err := g.c.take(ctx, msg)
	switch {
	case mode == throttle:
		st, err := status.New(codes.ResourceExhausted, "slow down").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(retryAfter)})
		if err != nil {
			return nil, err
		}
		return nil, st.Err()
	case err != nil:
		return nil, status.Error(codes.Unavailable, err.Error())
	case refused > 0:
		return refusal(refused), nil
	}
	return &collectorpb.ExportTraceServiceResponse{}, nil
}

// watchedListener knows its connections, so that they can be reset.
type watchedListener struct {
	net.Listener
	c *collector
}

// Accept resets new connections in mode reset, once something was read.
func (l *watchedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	l.c.conns[conn] = true
	return &watchedConn{Conn: conn, c: l.c}, nil
}

type watchedConn struct {
	net.Conn
	c *collector
}

// Read resets the connection in mode reset.
func (w *watchedConn) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.c.mu.Lock()
	mode := w.c.mode
	w.c.mu.Unlock()
	if mode == reset {
		abort(w.Conn)
		return 0, errLetGo
	}
	return n, err
}

// Close forgets the connection.
func (w *watchedConn) Close() error {
	w.c.mu.Lock()
	delete(w.c.conns, w.Conn)
	w.c.mu.Unlock()
	return w.Conn.Close()
}
