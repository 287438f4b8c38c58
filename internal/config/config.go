// SPDX-License-Identifier: Apache-2.0

// Package config is what a user can say to the agent: one [Config] struct whose
// doc comments are the reference documentation (docs/configuration.md is
// generated from them), whose tags name the YAML keys and the accepted values,
// and whose [Default] is what holds when nothing is said.
//
// A value comes from the first of these that gives one: command-line flag,
// TRACER_AGENT_* environment variable, configuration file, standard OTEL_*
// environment variable, default. [Source.Load] applies them and reports every
// problem at once, each with the place it was written at.
package config

import "time"

//go:generate go run ./gendoc -out ../../docs/configuration.md

// Config is the agent's whole configuration. It is plain data: once loaded it
// is only read, and copies may share its slices and maps. In every struct the
// sections come last, as the documentation is in this order.
//
// Tags: yaml is the key; check the accepted values (see tagProblem); otel the
// standard environment variable that gives the value when nothing else does.
type Config struct {
	// A process is traced if at least one entry matches it and
	// no `exclude` entry does. Without any entry nothing is traced.
	Instrument []Instrument `yaml:"instrument"`
	// What is never traced, whatever `instrument` says.
	Exclude []Selector `yaml:"exclude"`
	// What is read of HTTP messages. Bodies are never captured.
	HTTP HTTP `yaml:"http"`
	// Which traces are kept. A decision that arrives with a request
	// (for example the sampled flag of `traceparent`) is honoured by the
	// `parentbased_*` samplers.
	Sampling Sampling `yaml:"sampling"`
	// Where spans go. With neither an OTLP endpoint nor `stdout`, spans are
	// printed as text.
	Export Export `yaml:"export"`
	// How a trace is recognised in the headers of a request.
	Propagation Propagation `yaml:"propagation"`
	// How spans are joined into traces where headers do not.
	Linking Linking `yaml:"linking"`
	// What the agent learns from the Kubernetes API.
	Kubernetes Kubernetes `yaml:"kubernetes"`
	// How much the agent takes from the kernel, and by which means.
	Kernel Kernel `yaml:"kernel"`
	// When the agent gives up waiting.
	Limits Limits `yaml:"limits"`
	// The agent's counters about itself.
	Metrics Metrics `yaml:"metrics"`
	// The agent's own log, written to standard error.
	Log Log `yaml:"log"`
}

// HTTP says what is read of HTTP messages.
type HTTP struct {
	// Names of request headers to record as `http.request.header.<name>`.
	// Authorization, Cookie, Set-Cookie and Proxy-Authorization also have to
	// be listed in `unsafe_capture_headers`.
	CaptureRequestHeaders []string `yaml:"capture_request_headers" check:"token"`
	// Names of response headers to record as `http.response.header.<name>`,
	// under the same rule.
	CaptureResponseHeaders []string `yaml:"capture_response_headers" check:"token"`
	// Names among Authorization, Cookie, Set-Cookie and Proxy-Authorization
	// that may be captured although they carry secrets. Listing a name here
	// does not capture it; it only permits the two lists above to name it.
	UnsafeCaptureHeaders []string `yaml:"unsafe_capture_headers"`
	// Bytes of each request head that are copied out of the kernel. Trace
	// headers behind this many bytes (think of large cookies) are not seen.
	RequestHeadBytes int `yaml:"request_head_bytes" check:"min=256 max=16384"`
	// Bytes of each response head that are copied out of the kernel.
	ResponseHeadBytes int `yaml:"response_head_bytes" check:"min=128 max=16384"`
	// Query parameters whose values are replaced by `REDACTED` in `url.query`,
	// in addition to the built-in names of known secrets. Only letters and
	// digits count: `api_key`, `API-Key` and `apiKey` are one name.
	RedactQuery []string `yaml:"redact_query"`
	// Header fields of one head that are looked at; the rest is skipped.
	MaxFields int `yaml:"max_fields" check:"min=16 max=1024"`
}

// Sampling says which traces are kept.
type Sampling struct {
	// The sampler, by its OTEL_TRACES_SAMPLER name.
	Sampler string `yaml:"sampler" check:"oneof=always_on|always_off|traceidratio|parentbased_always_on|parentbased_always_off|parentbased_traceidratio" otel:"OTEL_TRACES_SAMPLER"`
	// Share of traces kept by the two `traceidratio` samplers.
	Ratio float64 `yaml:"ratio" check:"min=0 max=1" otel:"OTEL_TRACES_SAMPLER_ARG"`
}

// Export says where spans go.
type Export struct {
	// Also print spans to standard output: `text` is a readable tree, `json`
	// one object per line. Empty prints nothing.
	Stdout string `yaml:"stdout" check:"oneof=|text|json"`
	// Spans that may wait for export. When the queue is full the oldest batch
	// is dropped and counted.
	QueueSpans int `yaml:"queue_spans" check:"min=1 max=4194304"`
	// Estimated memory of those spans at most.
	QueueBytes int `yaml:"queue_bytes" check:"min=1048576 max=17179869184"`
	// Spans sent in one request at most. Not above `queue_spans`.
	BatchSpans int `yaml:"batch_spans" check:"min=1 max=65536"`
	// How long a span waits for its batch to fill.
	BatchDelay time.Duration `yaml:"batch_delay" check:"min=1ms max=1m"`
	// How long the agent tries to send what is queued when it is told to stop.
	ShutdownTimeout time.Duration `yaml:"shutdown_timeout" check:"min=0s max=5m"`
	// An OpenTelemetry collector or back end. What is left empty here is taken
	// from the standard OTEL_EXPORTER_OTLP_TRACES_* or OTEL_EXPORTER_OTLP_*
	// variable.
	OTLP OTLP `yaml:"otlp"`
}

// OTLP is the connection to a collector. The exporter itself reads the standard
// variables for what is empty.
type OTLP struct {
	// URL (`http://collector:4318`, `https://…`) or `host:port`; for gRPC also
	// `unix:///path/of/socket`. Empty: OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or
	// OTEL_EXPORTER_OTLP_ENDPOINT; when those are not set either, nothing is sent.
	Endpoint string `yaml:"endpoint"`
	// The wire protocol. Empty: OTEL_EXPORTER_OTLP_PROTOCOL; when that is not
	// set either, `http/protobuf` for port 4318 or a URL with a path, else `grpc`.
	Protocol string `yaml:"protocol" check:"oneof=|grpc|http/protobuf"`
	// Headers of every export request, such as an API key. Prefer
	// OTEL_EXPORTER_OTLP_HEADERS for secrets. Empty: that variable.
	Headers map[string]string `yaml:"headers" check:"token"`
	// How requests are compressed. Empty: OTEL_EXPORTER_OTLP_COMPRESSION, or
	// none.
	Compression string `yaml:"compression" check:"oneof=|none|gzip"`
	// Limit of one export request. `0s`: OTEL_EXPORTER_OTLP_TIMEOUT, or 10s.
	Timeout time.Duration `yaml:"timeout" check:"min=0s max=5m"`
	// How the collector is authenticated.
	TLS TLS `yaml:"tls"`

	// Enabled says that spans are sent: an endpoint was given here or by a
	// standard variable. Set by loading, not by the user.
	Enabled bool `yaml:"-"`
}

// TLS is how the collector is authenticated, and how the agent is to it.
type TLS struct {
	// PEM file of certificate authorities to trust instead of the system's.
	CAFile string `yaml:"ca_file"`
	// PEM file of the client certificate. Needs `key_file`.
	CertFile string `yaml:"cert_file"`
	// PEM file of the client certificate's key. Needs `cert_file`.
	KeyFile string `yaml:"key_file"`
	// Use no TLS for an endpoint that has no scheme; `http://` and `https://`
	// decide by themselves.
	Insecure bool `yaml:"insecure"`
	// Use TLS but accept any certificate. For trials only.
	InsecureSkipVerify bool `yaml:"insecure_skip_verify"`
}

// Propagation says how a trace is recognised in request headers.
type Propagation struct {
	// Trace-context formats that are looked for, strongest first: when several
	// disagree the first is the parent and the others become span links. `gcp`
	// (`x-cloud-trace-context`) is not among the defaults, because load
	// balancers add it to requests that nothing traces.
	Formats []string `yaml:"formats" check:"oneof=w3c|b3|b3multi|jaeger|datadog|ottrace|lightstep|xray|grpc|gcp unique"`
	// Headers that a service passes on unchanged and that therefore may join
	// an outgoing request to the incoming one.
	CorrelationHeaders []string `yaml:"correlation_headers" check:"token unique"`
}

// Linking is how spans are joined into traces beyond what headers say.
type Linking struct {
	// How long a span may wait for the other end of its connection, which may
	// be reported later. A process's first calls wait up to 10 times as long
	// for its habits to show, and a call whose request in the same process is
	// not known up to 50 times as long for the thread that answers.
	Hold time.Duration `yaml:"hold" check:"min=1ms max=10s"`
	// What to do with processes that are seen to export spans of their own
	// (OTLP): `silent` traces only what their SDK does not, `all` everything.
	InstrumentedProcesses string `yaml:"instrumented_processes" check:"oneof=silent|all"`
	// Whether to look into selected processes for what runs in them: to read
	// the ids of Go's goroutines and of asyncio's tasks, and to put a breakpoint
	// into Go's HTTP client. Without it their calls are linked by less.
	LookIntoProcesses bool `yaml:"look_into_processes"`
}

// Kubernetes says what the agent learns from the Kubernetes API.
type Kubernetes struct {
	// Whether the API is used: `auto` uses it in a pod with a service account,
	// with a `kubeconfig`, and if an entry selects by what only the API tells.
	API string `yaml:"api" check:"oneof=auto|always|never"`
	// A kubeconfig file with a token or a client certificate. Empty: the service
	// account of the pod that the agent runs in.
	Kubeconfig string `yaml:"kubeconfig"`
	// The name of this node as the API knows it. Empty: the host name.
	NodeName string `yaml:"node_name"`
	// Also name the other end of connections, if it is a pod or a Service. The
	// agent then watches the pods and Services of the whole cluster and keeps
	// their addresses and names.
	Peers bool `yaml:"peers"`
	// Addresses of pods and Services that are kept. Further ones stay unnamed,
	// and are counted.
	MaxPeers int `yaml:"max_peers" check:"min=16 max=4194304"`
}

// Kernel says how the agent hooks into the kernel and how much memory it takes there.
type Kernel struct {
	// The hooks to use. `auto` takes the first of the others, in this order,
	// that attaches on this kernel; `tracer-agent check` shows which.
	Backend string `yaml:"backend" check:"oneof=auto|fentry|sock-tracepoint|syscall-tracepoint"`
	// Size of the buffer between kernel and agent. A power of two and a
	// multiple of the page size. What does not fit is lost and counted.
	RingBytes int `yaml:"ring_bytes" check:"min=65536 max=1073741824 power2"`
	// Selected processes at one time. Further ones are not traced, and counted.
	MaxProcesses int `yaml:"max_processes" check:"min=16 max=4194304"`
	// Traced connections at one time. Beyond, the one that was silent for the
	// longest time is given up, and counted.
	MaxConnections int `yaml:"max_connections" check:"min=16 max=4194304"`
	// How long the kernel may collect records before it wakes the agent. Adds
	// to the time until a span is seen, never to the application's.
	BatchInterval time.Duration `yaml:"batch_interval" check:"min=1ms max=1s"`
}

// Limits bounds what the agent keeps of a connection.
type Limits struct {
	// A unix socket connection without traffic is taken for closed after this
	// time: no backend sees a unix socket close.
	IdleUnixConnection time.Duration `yaml:"idle_unix_connection" check:"min=1s max=24h"`
	// Requests in flight on one connection (pipelining). Beyond, the
	// connection is not followed any more, and its requests are counted.
	PipelinedRequests int `yaml:"pipelined_requests" check:"min=1 max=65536"`
	// Finished spans that wait for news of their trace (`linking.hold`), at
	// most. Beyond, the oldest go on with what is known.
	HeldSpans int `yaml:"held_spans" check:"min=1 max=1048576"`
}

// Metrics is where the agent's own counters can be read.
type Metrics struct {
	// Address (`127.0.0.1:9464`) that serves `/metrics` in Prometheus format,
	// `/healthz` and `/readyz`. Empty serves nothing.
	Listen string `yaml:"listen"`
}

// Log is the agent's own log.
type Log struct {
	// The least severe level that is written.
	Level string `yaml:"level" check:"oneof=debug|info|warn|error"`
	// One line of key=value pairs, or one JSON object, per entry.
	Format string `yaml:"format" check:"oneof=text|json"`
}
