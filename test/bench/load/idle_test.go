// SPDX-License-Identifier: Apache-2.0

package load

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

func TestIdleConnectionsStayOpen(t *testing.T) {
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	defer server.Close()
	idle, err := OpenIdle(strings.TrimPrefix(server.URL, "http://"), 30)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	if idle.Len() != 30 || requests.Load() != 30 {
		t.Errorf("%d connections, %d requests; want 30 of each", idle.Len(), requests.Load())
	}
	if err := idle.Touch(); err != nil || requests.Load() != 60 {
		t.Errorf("%v; %d requests, want 60", err, requests.Load())
	}
	server.CloseClientConnections()
	if idle.Touch() == nil {
		t.Error("connections that the server has closed go unnoticed")
	}
}
