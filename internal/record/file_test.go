// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// memory is a file that may have no room.
type memory struct {
	bytes.Buffer
	room   int // -1: for ever
	closed bool
}

var errNoRoom = errors.New("no room")

func (m *memory) Write(b []byte) (int, error) {
	if m.room >= 0 && m.Len()+len(b) > m.room {
		return 0, errNoRoom
	}
	return m.Buffer.Write(b)
}

func (m *memory) Close() error { m.closed = true; return nil }

type frame struct {
	kind Kind
	data string
}

func readAll(t *testing.T, in io.Reader) (Header, []frame, error) {
	t.Helper()
	r, h, err := NewReader(in)
	if err != nil {
		return h, nil, err
	}
	var all []frame
	for {
		kind, b, err := r.Next()
		if errors.Is(err, io.EOF) {
			return h, all, nil
		}
		if err != nil {
			return h, all, err
		}
		all = append(all, frame{kind, string(b)})
	}
}

func TestWriteAndRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "recording")
	w, err := Create(path, 1<<20, Header{ABI: 3, Kernel: "6.1", Config: []byte(`{"A":1}`)})
	if err != nil {
		t.Fatal(err)
	}
	w.Frame(KindData, []byte("abc"))
	w.Number(KindProgress, 1, 2, 3, 4)
	if err := w.Target(Target{TGID: 7, Resource: map[string]string{"a": "b"}}); err != nil {
		t.Fatal(err)
	}
	w.Number(KindEnd)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want that only the owner reads it", info.Mode())
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h, all, err := readAll(t, f)
	if err != nil || h.ABI != 3 || h.Kernel != "6.1" || string(h.Config) != `{"A":1}` || len(all) != 4 {
		t.Fatalf("header %+v, frames %q, error %v", h, all, err)
	}
	if all[0] != (frame{KindData, "abc"}) || all[3].kind != KindEnd {
		t.Errorf("frames %q", all)
	}
	if v, err := Numbers([]byte(all[1].data), 4); err != nil || v[3] != 4 {
		t.Errorf("numbers %v, error %v", v, err)
	}
	if target, err := DecodeTarget([]byte(all[2].data)); err != nil || target.TGID != 7 || target.Resource["a"] != "b" {
		t.Errorf("target %+v, error %v", target, err)
	}
}

func TestCreateOverwritesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "there")
	if err := os.WriteFile(path, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(path, 1<<20, Header{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error %v, want that the file exists", err)
	}
}

func TestLimit(t *testing.T) {
	m := &memory{room: -1}
	w, err := NewWriter(m, 600, Header{})
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		w.Frame(KindData, make([]byte, 100))
		w.Frame(KindPoll, nil) // would fit, but not what is before it
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	written, skipped := w.Counts()
	_, all, err := readAll(t, m)
	if err != nil || len(all)+2 != int(written) || written+skipped != 22 || skipped == 0 || m.Len() > 600 {
		t.Errorf("%d frames, written %d, skipped %d, error %v", len(all), written, skipped, err)
	}
	if _, err := NewWriter(&memory{room: -1}, 10, Header{}); err == nil {
		t.Error("a recording without room for its header was begun")
	}
}

func TestFullDisk(t *testing.T) {
	w, err := NewWriter(&memory{room: 1000}, 1<<20, Header{})
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		w.Frame(KindData, make([]byte, 200))
	}
	if err := w.Flush(); !errors.Is(err, errNoRoom) {
		t.Errorf("flush: %v", err)
	}
	w.Frame(KindData, nil)
	if _, skipped := w.Counts(); skipped != 1 {
		t.Errorf("%d frames skipped, want 1", skipped)
	}
}

// TestDamaged reads every beginning of a recording, and some that are none.
func TestDamaged(t *testing.T) {
	m := &memory{room: -1}
	w, err := NewWriter(m, 1<<20, Header{})
	if err != nil {
		t.Fatal(err)
	}
	w.Frame(KindData, []byte("abc"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	whole := m.String()
	begun := strings.Index(whole, "abc") - 5
	for n := range len(whole) {
		_, all, err := readAll(t, strings.NewReader(whole[:n]))
		switch {
		case n < begun && !errors.Is(err, ErrFormat), n > begun && !errors.Is(err, io.ErrUnexpectedEOF), n == begun && (err != nil || len(all) > 0):
			t.Fatalf("%d bytes: %d frames, error %v", n, len(all), err)
		}
	}
	for _, bad := range []string{"", "PNG", strings.Replace(whole, `"Version":1`, `"Version":9`, 1), whole + "\xff\x00\x00\x00\x00", whole + "\x02\xff\xff\xff\xff"} {
		if _, _, err := readAll(t, strings.NewReader(bad)); !errors.Is(err, ErrFormat) {
			t.Errorf("%.20q: error %v", bad, err)
		}
	}
}
