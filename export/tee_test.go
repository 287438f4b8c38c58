// SPDX-License-Identifier: Apache-2.0

package export

import (
	"context"
	"errors"
	"testing"
)

func TestTeeMirrorsEachBatchOnce(t *testing.T) {
	failures := []error{&RetryableError{Err: errors.New("down")}, &RetryableError{Err: errors.New("down")}, nil, errors.New("refused"), nil}
	main, mirror := &fakeExporter{}, &fakeExporter{}
	main.answer = func(context.Context, []*Span) error { return failures[len(main.calls)-1] }
	mirror.answer = func(context.Context, []*Span) error {
		if len(mirror.calls) == 3 {
			return errors.New("closed pipe")
		}
		return nil
	}
	exp := NewTee(main, mirror)
	batch := func(n uint64, name string) []*Span {
		s := exampleSpan(n)
		s.Name = name
		return []*Span{s}
	}
	a, b, c := batch(1, "a"), batch(2, "b"), batch(3, "c")
	for i, spans := range [][]*Span{a, a, a, b, c} {
		if err := exp.Export(context.Background(), spans); err != failures[i] {
			t.Errorf("export %d: %v, want %v", i, err, failures[i])
		}
	}
	if got := mirror.sent(); got != "a b" || len(mirror.calls) != 3 {
		t.Errorf("mirrored %q in %d calls", got, len(mirror.calls))
	}
	if got := main.sent(); got != "a c" {
		t.Errorf("sent %q", got)
	}
	if err := exp.Shutdown(context.Background()); err != nil || main.shutdowns != 1 || mirror.shutdowns != 1 {
		t.Errorf("shutdown: %v, %d and %d", err, main.shutdowns, mirror.shutdowns)
	}
}
