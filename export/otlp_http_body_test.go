// SPDX-License-Identifier: Apache-2.0

package export

import (
	"io"
	"net/http"
	"testing"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// scoped is a message whose encoding holds name.
func scoped(name string) []*tracepb.ResourceSpans {
	return []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Scope: &commonpb.InstrumentationScope{Name: name}}}}}
}

// TestBodyIsLeftToItsReader encodes the next request while a transport still
// reads the body of the last one, and again when it has closed it.
func TestBodyIsLeftToItsReader(t *testing.T) {
	var b httpBody
	if err := b.encode(scoped("first")); err != nil {
		t.Fatal(err)
	}
	want := string(b.buf)
	req, err := http.NewRequest(http.MethodPost, "http://127.0.0.1/", nil)
	if err != nil {
		t.Fatal(err)
	}
	sent := b.into(req)
	again, err := sent.GetBody()
	if err != nil {
		t.Fatal(err)
	}
	if sent.ContentLength != int64(len(want)) {
		t.Errorf("content length %d, want %d", sent.ContentLength, len(want))
	}
	sent.Body.Close()
	sent.Body.Close() // counts once
	if err := b.encode(scoped("other")); err != nil {
		t.Fatal(err)
	}
	if got, _ := io.ReadAll(again); string(got) != want {
		t.Errorf("the body under way became %q, want %q", got, want)
	}
	free := &b.buf[0]
	b.into(req).Body.Close()
	if err := b.encode(scoped("third")); err != nil {
		t.Fatal(err)
	}
	if &b.buf[0] != free {
		t.Error("a buffer that nobody reads was not used again")
	}
}
