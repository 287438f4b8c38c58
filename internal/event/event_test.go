// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"unsafe"
)

var update = flag.Bool("update", false, "write the golden records anew")

// golden is a record as the kernel writes it, and what it decodes to.
type golden struct {
	name    string
	wire    any // a Wire struct
	payload string
	want    any
}

func hdr(k Kind, size uintptr) Header {
	return Header{Version: Version, Kind: k, Size: uint32(size), Ktime: 0x0102030405060708}
}

func goldens() []golden {
	const ktime = 0x0102030405060708
	conn := func(family, flags uint16, laddr, raddr, path string, pathLen uint32) WireConn {
		w := WireConn{
			Hdr: hdr(KindConn, unsafe.Sizeof(WireConn{})), Conn: 0x1122334455667788, Cgroup: 0x99, Tgid: 100, Tid: 101,
			Netns: 4026531840, Family: family, Lport: 8080, Rport: 50000, Flags: flags, PathLen: pathLen,
		}
		copy(w.Laddr[:], laddr)
		copy(w.Raddr[:], raddr)
		copy(w.Path[:], path)
		return w
	}
	decoded := func(family uint16, fresh bool, local, remote, path string) *Conn {
		c := &Conn{
			Ktime: ktime, ID: 0x1122334455667788, Cgroup: 0x99, TGID: 100, TID: 101,
			NetNS: 4026531840, Family: family, Fresh: fresh, Path: path,
		}
		if local != "" {
			c.Local, c.Remote = netip.MustParseAddrPort(local), netip.MustParseAddrPort(remote)
		}
		return c
	}
	const six = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	const mapped = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x0a\x00\x00"
	return []golden{
		{"conn inet", conn(FamilyInet, ConnFresh, "\x0a\x00\x00\x01", "\x0a\x00\x00\x02", "", 0), "",
			decoded(FamilyInet, true, "10.0.0.1:8080", "10.0.0.2:50000", "")},
		{"conn inet6", conn(FamilyInet6, 0, six+"\x01", six+"\x02", "", 0), "",
			decoded(FamilyInet6, false, "[2001:db8::1]:8080", "[2001:db8::2]:50000", "")},
		{"conn mapped", conn(FamilyInet6, 0, mapped+"\x01", mapped+"\x02", "", 0), "",
			decoded(FamilyInet6, false, "10.0.0.1:8080", "10.0.0.2:50000", "")},
		{"conn unix path", conn(FamilyUnix, 0, "", "", "/run/app.sock\x00left over", 14), "",
			decoded(FamilyUnix, false, "", "", "/run/app.sock")},
		{"conn unix abstract", conn(FamilyUnix, 0, "", "", "\x00app\x00x", 6), "",
			decoded(FamilyUnix, false, "", "", "@app\x00x")},
		{"conn unix longest", conn(FamilyUnix, 0, "", "", strings.Repeat("p", 108), 109), "",
			decoded(FamilyUnix, false, "", "", strings.Repeat("p", 108))},
		{"conn unix unnamed", conn(FamilyUnix, 0, "", "", "", 0), "", decoded(FamilyUnix, false, "", "", "")},
		{"data", WireData{
			Hdr: hdr(KindData, unsafe.Sizeof(WireData{})+3), Conn: 7, Pos: 1 << 40, Tail: 0x3837363534333231,
			OtherPos: 9, OtherKtime: 10, Total: 20, Captured: 3, Tgid: 100, Tid: 101,
			Flags: DataHead | DataTail, Dir: uint16(Send),
		}, "GET", &Data{
			Ktime: ktime, First: ktime, Conn: 7, Pos: 1 << 40, OtherPos: 9, OtherKtime: 10, Tail: [8]byte([]byte("12345678")),
			Total: 20, TGID: 100, TID: 101, Flags: DataHead | DataTail, Dir: Send, Payload: []byte("GET"),
		}},
		{"eof", WireEOF{
			Hdr: hdr(KindEOF, unsafe.Sizeof(WireEOF{})), Conn: 7, Pos: [2]uint64{1, 2},
			LastKtime: [2]uint64{3, 4}, Dir: uint32(Send),
		}, "", &EOF{Ktime: ktime, Conn: 7, Pos: [2]uint64{1, 2}, LastKtime: [2]uint64{3, 4}, Dir: Send}},
		{"close", WireEOF{
			Hdr: hdr(KindClose, unsafe.Sizeof(WireEOF{})), Conn: 7, Pos: [2]uint64{1, 2}, LastKtime: [2]uint64{3, 4}, Err: 104,
		}, "", &EOF{Ktime: ktime, Conn: 7, Pos: [2]uint64{1, 2}, LastKtime: [2]uint64{3, 4}, Err: 104}},
		{"proc", WireProc{Hdr: hdr(KindProc, unsafe.Sizeof(WireProc{})), Op: uint32(ProcExec), Tgid: 5, Ptgid: 4, Selected: 1, Program: 6, Stack: 7},
			"", &Proc{Op: ProcExec, TGID: 5, PTGID: 4, Selected: true, Program: 6, Stack: 7}},
		{"listen", WireListen{Hdr: hdr(KindListen, unsafe.Sizeof(WireListen{})), Tgid: 5, Selected: 1, Port: 8080, Family: FamilyInet, Stack: 7},
			"", &Listen{TGID: 5, Port: 8080, Selected: true, Stack: 7}},
	}
}

func (g golden) encode(t testing.TB) []byte {
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, g.wire); err != nil {
		t.Fatal(err)
	}
	b.WriteString(g.payload)
	return b.Bytes()
}

// decode decodes any record into a new value of its kind.
func decode(b []byte) (any, error) {
	kind, err := Peek(b)
	if err != nil {
		return nil, err
	}
	switch kind {
	case KindConn:
		v := new(Conn)
		return v, v.Decode(b)
	case KindData:
		v := new(Data)
		return v, v.Decode(b)
	case KindEOF, KindClose:
		v := new(EOF)
		return v, v.Decode(b)
	case KindProc:
		v := new(Proc)
		return v, v.Decode(b)
	case KindListen:
		v := new(Listen)
		return v, v.Decode(b)
	}
	return nil, nil
}

// TestGolden holds the bytes of every kind of record still: a record that this
// build decodes differently needs a new Version.
func TestGolden(t *testing.T) {
	const path = "testdata/records.golden"
	var now strings.Builder
	for _, g := range goldens() {
		b := g.encode(t)
		now.WriteString(g.name + ": " + hex.EncodeToString(b) + "\n")
		got, err := decode(b)
		if err != nil {
			t.Errorf("%s: %v", g.name, err)
		} else if !reflect.DeepEqual(got, g.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", g.name, got, g.want)
		}
	}
	if *update {
		if err := os.WriteFile(path, []byte(now.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if now.String() != string(want) {
		t.Errorf("records are not those of %s:\n%s", path, now.String())
	}
}

func TestRefused(t *testing.T) {
	data := goldens()[7].encode(t)
	with := func(at uintptr, v byte) []byte {
		b := bytes.Clone(data)
		b[at] = v
		return b
	}
	conn := goldens()[0].encode(t)
	conn[unsafe.Offsetof(WireConn{}.Family)] = 99
	eof := goldens()[8].encode(t)
	eof[unsafe.Offsetof(WireEOF{}.Dir)] = 2
	tests := map[string][]byte{
		"empty":                  nil,
		"half a header":          data[:8],
		"version":                with(0, 2),
		"size too large":         with(unsafe.Offsetof(Header{}.Size), 84),
		"size too small":         with(unsafe.Offsetof(Header{}.Size), 82),
		"captured more":          with(unsafe.Offsetof(WireData{}.Captured), 4),
		"captured less":          with(unsafe.Offsetof(WireData{}.Captured), 2),
		"captured more than all": with(unsafe.Offsetof(WireData{}.Total), 2),
		"direction":              with(unsafe.Offsetof(WireData{}.Dir), 2),
		"address family":         conn,
		"direction of eof":       eof,
	}
	for name, b := range tests {
		if v, err := decode(b); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: got %+v, %v; want ErrRecord", name, v, err)
		}
	}
	for _, g := range goldens() {
		b := g.encode(t)
		b = b[:len(b)-len(g.payload)-1]
		binary.LittleEndian.PutUint32(b[unsafe.Offsetof(Header{}.Size):], uint32(len(b)))
		if v, err := decode(b); !errors.Is(err, ErrRecord) {
			t.Errorf("%s, one byte short: got %+v, %v; want ErrRecord", g.name, v, err)
		}
	}
}

func TestTailBytes(t *testing.T) {
	tests := []struct {
		name    string
		total   uint32
		payload string
		flags   uint32
		tail    string // as it lies in memory, eight bytes
		want    string
	}{
		{"not present", 20, "ab", 0, "12345678", ""},
		{"behind the payload", 20, "ab", DataTail, "12345678", "12345678"},
		{"overlaps the payload", 10, "abcde", DataTail, "defghijk", "ghijk"},
		{"short call", 3, "", DataTail, "abc\x00\x00\x00\x00\x00", "abc"},
		{"short call with payload", 5, "ab", DataTail, "abcde\x00\x00\x00", "cde"},
		{"nothing is missing", 4, "abcd", DataTail, "abcd\x00\x00\x00\x00", ""},
		{"empty call", 0, "", DataTail, "\x00\x00\x00\x00\x00\x00\x00\x00", ""},
	}
	for _, tt := range tests {
		d := Data{Total: tt.total, Payload: []byte(tt.payload), Flags: tt.flags, Tail: [8]byte([]byte(tt.tail))}
		if got := string(d.TailBytes()); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestDecodeAllocs(t *testing.T) {
	data := goldens()[7].encode(t)
	var d Data
	n := testing.AllocsPerRun(100, func() {
		if kind, err := Peek(data); err != nil || kind != KindData {
			t.Fatal(kind, err)
		}
		if err := d.Decode(data); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// FuzzDecode decodes anything without a panic, refuses with ErrRecord only,
// and never lets a payload reach beyond its record.
func FuzzDecode(f *testing.F) {
	for _, g := range goldens() {
		f.Add(g.encode(f))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		in := b[:len(b):len(b)]
		v, err := decode(in)
		if err != nil && !errors.Is(err, ErrRecord) {
			t.Fatalf("error %v is not ErrRecord", err)
		}
		d, ok := v.(*Data)
		if !ok || err != nil {
			decodeAs(t, in)
			return
		}
		if len(d.Payload)+int(unsafe.Sizeof(WireData{})) != len(b) || uint64(len(d.Payload)) > uint64(d.Total) {
			t.Fatalf("payload of %d bytes in a record of %d, total %d", len(d.Payload), len(b), d.Total)
		}
		if n := len(d.Payload) + len(d.TailBytes()); uint64(n) > uint64(d.Total) {
			t.Fatalf("payload and tail have %d bytes, the call %d", n, d.Total)
		}
		decodeAs(t, in)
	})
}

// decodeAs decodes b as every kind, whatever its header says.
func decodeAs(t *testing.T, b []byte) {
	for _, v := range []interface{ Decode([]byte) error }{&Conn{}, &Data{}, &EOF{}, &Proc{}, &Listen{}} {
		if err := v.Decode(b); err != nil && !errors.Is(err, ErrRecord) {
			t.Fatalf("%T: error %v is not ErrRecord", v, err)
		}
	}
}
