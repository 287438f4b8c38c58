// SPDX-License-Identifier: Apache-2.0

package httpparse

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// alike says what differs if text is parsed with the memory of other parsers
// from what a parser without memory reports.
func alike(t *testing.T, g program, s *Scratch) {
	t.Helper()
	fresh := g.run(nil)
	g.lim.Scratch = s
	if got := g.run(nil); !slices.Equal(got, fresh) {
		t.Errorf("%q with memory:\n%s\nwithout:\n%s", g.text, strings.Join(got, "\n"), strings.Join(fresh, "\n"))
	}
}

// TestMemoSame: what was parsed before makes no difference to what is reported.
func TestMemoSame(t *testing.T) {
	s := new(Scratch)
	for range 3 {
		for mode := range uint8(16) {
			for _, text := range seeds {
				g := newProgram(mode, []byte(text))
				alike(t, g, s)
			}
		}
		for _, e := range readCorpus(t) {
			for _, fields := range []int{0, 2} { // a block that is kept may exceed another's limit
				alike(t, program{kind: e.kind, text: []byte(e.text), lim: Limits{Fields: fields}}, s)
			}
		}
	}
	if s.memo == nil || !slices.ContainsFunc(s.memo[:], func(b block) bool { return b.size != 0 }) {
		t.Error("nothing was kept")
	}
}

// FuzzMemo: the same, for any texts.
func FuzzMemo(f *testing.F) {
	for i, s := range seeds {
		for mode := range uint8(16) {
			f.Add(mode, mode^1, []byte(s), []byte(seeds[(i+1)%len(seeds)]))
		}
	}
	f.Fuzz(func(t *testing.T, mode1, mode2 uint8, text1, text2 []byte) {
		s := new(Scratch)
		for range 2 {
			alike(t, newProgram(mode1, text1), s)
			alike(t, newProgram(mode2, text2), s)
		}
	})
}

// noter counts how often each head's note was written before.
type noter struct {
	counter
	of   func(*Head) *any
	seen []int
}

func (n *noter) Head(h *Head) Method {
	note := n.of(h)
	switch {
	case note == nil:
		n.seen = append(n.seen, -1)
	case *note == nil:
		*note = 1
		n.seen = append(n.seen, 0)
	default:
		n.seen = append(n.seen, (*note).(int))
		*note = (*note).(int) + 1
	}
	return n.counter.Head(h)
}

// TestWholeNote: it is found with the same head only, and not after another
// start line came between.
func TestWholeNote(t *testing.T) {
	const fields = " HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\n\r\n"
	long := "GET /" + strings.Repeat("a", memoLine)
	p, n := New(Request, Limits{}), &noter{of: (*Head).WholeNote}
	for _, line := range []string{"GET /1", "GET /1", "GET /1", "GET /1", "GET /2", "GET /2", "GET /1", "GET /1", "PUT /1", long, long} {
		p.Feed([]byte(line+fields), n)
	}
	if want := []int{-1, -1, 0, 1, -1, 0, -1, 0, -1, -1, -1}; !slices.Equal(n.seen, want) {
		t.Errorf("notes %v, want %v", n.seen, want)
	}
}

// TestNote: a note is found with the same fields only.
func TestNote(t *testing.T) {
	a, b := "GET /1 HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\n\r\n", "POST /2 HTTP/1.1\r\nHost: a.example\r\nAccept: */a\r\n\r\n"
	same := strings.Replace(a, "/1", "/3", 1)
	long := "GET /1 HTTP/1.1\r\nHost: " + strings.Repeat("a", memoText) + "\r\n\r\n"
	p, n := New(Request, Limits{}), &noter{of: (*Head).Note}
	for _, text := range []string{a, a, same, b, b, a, a, long, long} {
		p.Feed([]byte(text), n)
	}
	if want := []int{-1, 0, 1, -1, 0, -1, 0, -1, -1}; !slices.Equal(n.seen, want) {
		t.Errorf("notes %v, want %v", n.seen, want)
	}
}

// TestFieldsStay: fields that are found again do not depend on the bytes fed,
// and those of different heads are told apart.
func TestFieldsStay(t *testing.T) {
	text := []byte("GET / HTTP/1.1\r\nHost: a.example\r\nA: 1\r\n\r\n")
	p, r := newRecorded(Request, Limits{})
	for range 3 {
		p.Feed(text, r)
	}
	text = bytes.Replace(text, []byte("A: 1"), []byte("A: 2"), 1)
	p.Feed(text, r)
	for i, log := range r.log {
		want := "[A:1]"
		if i >= 6 {
			want = "[A:2]"
		}
		if strings.HasPrefix(log, "head") && !strings.Contains(log, want) {
			t.Errorf("message %d: %s", i/2, log)
		}
	}
}

// TestForget: no byte of a head stays, and no note.
func TestForget(t *testing.T) {
	s := new(Scratch)
	n := &noter{of: (*Head).WholeNote}
	p := New(Request, Limits{Scratch: s})
	text := []byte("GET /?token=s3cret HTTP/1.1\r\nHost: a.example\r\nAuthorization: s3cret\r\n\r\n")
	for range 3 {
		p.Feed(text, n)
	}
	s.Forget()
	for i := range s.memo {
		l := &s.memo[i]
		if l.size != 0 || l.text != [memoText]byte{} || l.last.text != [memoLine]byte{} || l.fields != nil || l.note != nil || l.last.note != nil {
			t.Fatalf("place %d is not empty", i)
		}
	}
	if s.head.kept != nil || s.head.Target != nil {
		t.Error("the head is not empty")
	}
	p.Feed(text, n)
	if want := []int{-1, -1, 0, -1}; !slices.Equal(n.seen, want) {
		t.Errorf("notes %v, want %v", n.seen, want)
	}
}
