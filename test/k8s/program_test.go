// SPDX-License-Identifier: Apache-2.0

//go:build k8s

package k8s

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tracer-agent/tracer-agent/test/suite"
)

// start runs cmd until the test ends. Then it is killed at once: nothing that it
// would clean up is kept, and an API server takes its time.
func start(t *testing.T, name string, cmd *exec.Cmd) *suite.Process {
	t.Helper()
	p := suite.Launch(t, name, cmd)
	t.Cleanup(p.Kill)
	return p
}

// serve is the server in a container: it answers on the address of its argument,
// prints where, and ends with its standard input.
func serve() {
	l, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(l.Addr())
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "hello "+r.URL.Query().Get("echo"))
	})
	go http.Serve(l, nil)
	io.Copy(io.Discard, os.Stdin)
}

// ask is the client in a container: it gets each URL of its standard input and
// prints the status.
func ask() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		resp, err := http.Get(lines.Text())
		if err != nil {
			fmt.Println(err)
			continue
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		fmt.Println(resp.StatusCode)
	}
}

// get asks a server in a container, from the test, which is in none.
func get(t *testing.T, url string) {
	t.Helper()
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || !strings.HasPrefix(string(body), "hello") {
		t.Fatalf("%s answered %q, %v", url, body, err)
	}
}
