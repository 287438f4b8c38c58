// SPDX-License-Identifier: Apache-2.0

package export

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// maxKeptBody is how large a buffer may be that is kept for the next request.
const maxKeptBody = 4 << 20

// httpBody is the body of the request under way, in a buffer that the next one
// uses again.
type httpBody struct {
	buf     []byte
	readers *atomic.Int32 // that have not been closed: they may still read buf
}

// encode makes the body. A transport may return before it has read a body to its
// end; the buffer is then left to it.
func (b *httpBody) encode(spans []*tracepb.ResourceSpans) error {
	if b.readers == nil || b.readers.Load() != 0 || cap(b.buf) > maxKeptBody {
		*b = httpBody{readers: new(atomic.Int32)}
	}
	var err error
	b.buf, err = proto.MarshalOptions{}.MarshalAppend(b.buf[:0], &coltracepb.ExportTraceServiceRequest{ResourceSpans: spans})
	if err != nil {
		return fmt.Errorf("encode spans: %w", err)
	}
	return nil
}

// into returns req with the body.
func (b *httpBody) into(req *http.Request) *http.Request {
	if req.Body != nil {
		req.Body.Close() // a buffer in memory: there is nothing to fail
	}
	req = req.WithContext(req.Context()) // a round tripper may not change what it got
	req.Body = b.reader()
	req.ContentLength = int64(len(b.buf))
	reader := *b // as it is now
	req.GetBody = func() (io.ReadCloser, error) { return reader.reader(), nil }
	return req
}

func (b *httpBody) reader() io.ReadCloser {
	readers := b.readers
	readers.Add(1)
	return &bodyReader{Reader: bytes.NewReader(b.buf), done: sync.OnceFunc(func() { readers.Add(-1) })}
}

type bodyReader struct {
	*bytes.Reader
	done func()
}

// Close implements io.Closer.
func (r *bodyReader) Close() error {
	r.done()
	return nil
}
