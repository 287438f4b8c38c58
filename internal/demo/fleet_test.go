// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain also runs the services: the fleet is made of this binary.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == Argument {
		if err := Main(os.Args[2:], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func startFleet(t *testing.T) *Fleet {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := StartFleet(t.Context(), exe)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// The services answer the script as the expected spans say, without an agent.
func TestFleetServesTheScript(t *testing.T) {
	f := startFleet(t)
	if err := Browse(t.Context(), f.Find(Storefront), Script()); err != nil {
		t.Fatal(err)
	}
	wrong := []Step{{Method: "GET", Target: "/feed", Status: 404}}
	if err := Browse(t.Context(), f.Find(Storefront), wrong); err == nil {
		t.Error("a wrong status is not noticed")
	}
}

func TestFleetListensOnLoopbackOnly(t *testing.T) {
	for _, s := range startFleet(t).Services {
		network, address, _ := strings.Cut(s.Address, " ")
		if network == "unix" {
			continue
		}
		host, _, err := net.SplitHostPort(address)
		if err != nil || !net.ParseIP(host).IsLoopback() {
			t.Errorf("%s listens on %s", s.Name, s.Address)
		}
	}
}

func TestCloseEndsAndWaits(t *testing.T) {
	f := startFleet(t)
	services, dir := f.Services, f.dir
	if len(services) != 4 {
		t.Fatalf("%d services, want 4", len(services))
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for _, s := range services {
		if err := syscall.Kill(s.PID, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("%s still exists: %v", s.Name, err)
		}
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s still exists: %v", dir, err)
	}
	if err := f.Close(); err != nil {
		t.Errorf("the second Close: %v", err)
	}
}

// A service ends with the process that started it, however that ends.
func TestServiceEndsWithItsInput(t *testing.T) {
	s := startFleet(t).Find(Cart)
	if err := s.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := s.cmd.Process.Wait()
		ended <- err
	}()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it runs on")
	}
}

func TestStartFails(t *testing.T) {
	if _, err := StartFleet(t.Context(), "/does/not/exist"); err == nil || !strings.Contains(err.Error(), "start prices") {
		t.Errorf("no program: %v", err)
	}
	if _, err := StartFleet(t.Context(), "/bin/true"); err == nil || !strings.Contains(err.Error(), "ended before it listened") {
		t.Errorf("a program that ends: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := StartFleet(ctx, exe); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestMainRefuses(t *testing.T) {
	for _, args := range [][]string{nil, {Cart}, {"bank", "tcp 127.0.0.1:0"}, {Storefront, "tcp 127.0.0.1:0"}, {Cart, "tcp nowhere:0"}} {
		if err := Main(args, strings.NewReader(""), os.Stderr); err == nil {
			t.Errorf("Main(%q) did not fail", args)
		}
	}
}
