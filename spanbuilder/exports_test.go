// SPDX-License-Identifier: Apache-2.0

package spanbuilder

import (
	"bytes"
	"testing"

	"go.opentelemetry.io/otel/sdk/resource"
	"golang.org/x/net/http2/hpack"
)

// TestOwnExports: who sends spans itself is recognised, by either protocol, and
// its requests make none.
func TestOwnExports(t *testing.T) {
	var block bytes.Buffer
	w := hpack.NewEncoder(&block)
	for _, f := range []hpack.HeaderField{{Name: ":method", Value: "POST"}, {Name: ":path", Value: exportMethod}} {
		if err := w.WriteField(f); err != nil {
			t.Fatal(err)
		}
	}
	for name, export := range map[string]func(*Builder){
		"grpc":       func(b *Builder) { b.HTTP2(7, 1, block.Bytes()) },
		"grpc plain": func(b *Builder) { b.HTTP2(7, 1, []byte("\x04?"+exportMethod)) },
		"http": func(b *Builder) {
			exchange(b, &Exchange{TGID: 7}, "POST /prefix/v1/traces?x HTTP/1.1\r\nContent-Length: 0\r\n\r\n", okHead)
		},
	} {
		b, out := testBuilder(t, Config{})
		export(b)
		exchange(b, &Exchange{TGID: 7, Server: true, Target: &Target{Resource: resource.Empty()}}, "GET / HTTP/1.1\r\n\r\n", okHead)
		if len(*out) != 0 || b.Stats().Instrumented == 0 {
			t.Errorf("%s: %d spans, %+v", name, len(*out), b.Stats())
		}
		exchange(b, &Exchange{TGID: 8, Server: true}, "GET / HTTP/1.1\r\n\r\n", okHead)
		if len(*out) != 1 {
			t.Errorf("%s: another process has %d spans, want 1", name, len(*out))
		}
	}
}
