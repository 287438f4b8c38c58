// SPDX-License-Identifier: Apache-2.0

// Package event is the agent's ABI in Go: the records that the BPF programs
// put into their ring buffers (bpf/include/abi.h). Layouts are compared with
// the compiled objects' BTF by a test in package bpf.
package event

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"unsafe"
)

// Version is the record version that this package decodes.
const Version = 1

// Kind says what a record is (enum ev_kind).
type Kind uint16

const (
	KindConn   Kind = 1 // a selected connection was first seen
	KindData   Kind = 2 // bytes moved; a slice of them may follow
	KindEOF    Kind = 3 // one direction ended
	KindClose  Kind = 4 // the connection is gone
	KindProc   Kind = 5 // fork, exec or exit
	KindListen Kind = 6 // a process listens on a port that a selector names
	KindOpen   Kind = 7 // a selected task begins to connect a TCP socket
)

// Dir is a direction as the traced process sees it (enum ev_dir).
type Dir uint8

const (
	Recv Dir = 0
	Send Dir = 1
)

// Other returns the opposite direction.
func (d Dir) Other() Dir { return 1 - d }

// Flags of a Data record (enum ev_data_flags).
const (
	DataHead   = 1 << 0 // the call starts like a message head
	DataUnseen = 1 << 1 // the payload could not be read: splice, io_uring, fault, too many buffers
	DataTail   = 1 << 2 // Tail holds the call's last min(8, Total) bytes
	DataQuiet  = 1 << 3 // last record of this turn: further bytes only move the progress entry
	DataTurn   = 1 << 4 // the other direction moved before: a new turn begins
	DataEarly  = 1 << 5 // the call was joined with earlier ones: First is the ktime of the first byte
)

// ConnFresh marks a Conn that this end opened after it was selected (enum ev_conn_flags).
const ConnFresh = 1 << 0

// ProcOp is what a process did (enum ev_proc_op).
type ProcOp uint32

const (
	ProcFork ProcOp = 1
	ProcExec ProcOp = 2
	ProcExit ProcOp = 3
)

// Address families of Conn.Family.
const (
	FamilyUnix  = 1
	FamilyInet  = 2
	FamilyInet6 = 10
)

// Header starts every record.
type Header struct {
	Version uint16
	Kind    Kind
	Size    uint32 // of the whole record, bytes
	Ktime   uint64 // CLOCK_MONOTONIC, nanoseconds
}

// WireConn is the layout of struct ev_conn.
type WireConn struct {
	Hdr     Header
	Conn    uint64
	Cgroup  uint64
	Self    uint64
	Peer    uint64
	Seq     [2]uint32
	Tgid    uint32
	Tid     uint32
	Netns   uint32
	Family  uint16
	Lport   uint16
	Rport   uint16
	Flags   uint16
	PathLen uint32
	Laddr   [16]byte
	Raddr   [16]byte
	Path    [108]byte
	Pad2    uint32
}

// WireData is the layout of struct ev_data; the captured bytes follow.
type WireData struct {
	Hdr        Header
	Conn       uint64
	Pos        uint64
	Tail       uint64
	OtherPos   uint64
	OtherKtime uint64
	Task       uint64
	ParentTask uint64
	Total      uint32
	Captured   uint32
	Tgid       uint32
	Tid        uint32
	Flags      uint32
	Dir        uint16
	Turn       uint16
}

// WireOpen is the layout of struct ev_open.
type WireOpen struct {
	Hdr  Header
	Conn uint64
	Tgid uint32
	Tid  uint32
}

// WireEOF is the layout of struct ev_eof.
type WireEOF struct {
	Hdr       Header
	Conn      uint64
	Pos       [2]uint64
	LastKtime [2]uint64
	Dir       uint32
	Err       uint32
}

// WireProc is the layout of struct ev_proc.
type WireProc struct {
	Hdr      Header
	Op       uint32
	Tgid     uint32
	Ptgid    uint32
	Selected uint32
	Program  uint64
	Stack    uint64
}

// WireListen is the layout of struct ev_listen.
type WireListen struct {
	Hdr      Header
	Tgid     uint32
	Selected uint32
	Port     uint16
	Family   uint16
	Pad      uint32
	Stack    uint64
}

// WireProgress is the layout of struct progress, a value of the progress map.
type WireProgress struct {
	Pos   uint64
	Ktime uint64
}

// Conn describes a connection, once, before its first Data.
type Conn struct {
	Ktime         uint64
	ID            uint64    // unique while the programs are loaded
	Cgroup        uint64    // cgroup v2 id of the task seen first, 0 where unused
	Self, Peer    uint64    // FamilyUnix: name this end and the other one, unique while both are open
	Seq           [2]uint32 // TCP: sequence number of position 0, by Dir; the other end has the same numbers
	TGID, TID     uint32
	NetNS         uint32 // inode number
	Family        uint16
	Fresh         bool           // this end opened it after it was selected
	Local, Remote netip.AddrPort // invalid for FamilyUnix
	Path          string         // FamilyUnix: the bound end's name, "@..." if abstract, "" if unnamed
}

// Data says that one socket call moved Total bytes.
type Data struct {
	Ktime      uint64
	First      uint64 // ktime of the first byte, not after Ktime
	Conn       uint64
	Pos        uint64 // of the call's first byte in its direction's stream
	OtherPos   uint64 // the other direction's position
	OtherKtime uint64 // when the other direction last moved
	Task       uint64 // goroutine that reads a request, or on whose behalf it is sent; asyncio task that sends a message; 0: not known
	ParentTask uint64 // the goroutine that started that one, the task that waits for that one; 0: not known
	Tail       [8]byte
	Total      uint32
	TGID, TID  uint32
	Flags      uint32
	Dir        Dir
	Turn       uint16 // number of turns of the connection so far, this one included, modulo 2^16
	Payload    []byte // from Pos on; aliases the record
}

// TailBytes returns those of the call's last bytes that are neither in Payload
// nor unknown.
func (d *Data) TailBytes() []byte {
	if d.Flags&DataTail == 0 {
		return nil
	}
	n := min(d.Total, 8)
	return d.Tail[n-min(n, d.Total-uint32(len(d.Payload))) : n]
}

// Open says that a task begins to connect a TCP socket.
type Open struct {
	Ktime     uint64
	Conn      uint64
	TGID, TID uint32
}

// EOF says that a direction, or with KindClose the connection, ended.
type EOF struct {
	Ktime     uint64
	Conn      uint64
	Pos       [2]uint64 // by Dir
	LastKtime [2]uint64 // when Pos last moved
	Dir       Dir       // KindEOF only
	Err       uint32    // KindClose: errno of the socket, 0 for an orderly end
}

// Proc says that a process was made, changed its program, or ended.
type Proc struct {
	Op          ProcOp
	TGID, PTGID uint32
	Selected    bool
	Program     uint64 // ProcExec: names the executable; 0: not known
	Stack       uint64 // ProcExec: where the stack starts
}

// Listen says that a process listens on a port that some rule names.
type Listen struct {
	TGID     uint32
	Port     uint16
	Selected bool
	Stack    uint64 // where its program's stack starts; 0: not known
}

// ErrRecord wraps every decoding error.
var ErrRecord = errors.New("bad record")

var le = binary.LittleEndian

func short(kind string, got, want int) error {
	return fmt.Errorf("%w: %s: %d bytes, want at least %d", ErrRecord, kind, got, want)
}

// Peek checks a record's header and returns its kind.
func Peek(b []byte) (Kind, error) {
	var w Header
	if len(b) < int(unsafe.Sizeof(w)) {
		return 0, short("header", len(b), int(unsafe.Sizeof(w)))
	}
	if v := le.Uint16(b); v != Version {
		return 0, fmt.Errorf("%w: version %d, want %d", ErrRecord, v, Version)
	}
	if n := le.Uint32(b[unsafe.Offsetof(w.Size):]); int(n) != len(b) {
		return 0, fmt.Errorf("%w: header says %d bytes, got %d", ErrRecord, n, len(b))
	}
	return Kind(le.Uint16(b[unsafe.Offsetof(w.Kind):])), nil
}

func ktime(b []byte) uint64 { return le.Uint64(b[unsafe.Offsetof(Header{}.Ktime):]) }

// Decode fills c from a record whose kind is KindConn.
func (c *Conn) Decode(b []byte) error {
	var w WireConn
	if len(b) < int(unsafe.Sizeof(w)) {
		return short("conn", len(b), int(unsafe.Sizeof(w)))
	}
	*c = Conn{
		Ktime:  ktime(b),
		ID:     le.Uint64(b[unsafe.Offsetof(w.Conn):]),
		Cgroup: le.Uint64(b[unsafe.Offsetof(w.Cgroup):]),
		Self:   le.Uint64(b[unsafe.Offsetof(w.Self):]),
		Peer:   le.Uint64(b[unsafe.Offsetof(w.Peer):]),
		TGID:   le.Uint32(b[unsafe.Offsetof(w.Tgid):]),
		TID:    le.Uint32(b[unsafe.Offsetof(w.Tid):]),
		NetNS:  le.Uint32(b[unsafe.Offsetof(w.Netns):]),
		Family: le.Uint16(b[unsafe.Offsetof(w.Family):]),
		Fresh:  le.Uint16(b[unsafe.Offsetof(w.Flags):])&ConnFresh != 0,
	}
	seq := b[unsafe.Offsetof(w.Seq):]
	c.Seq = [2]uint32{le.Uint32(seq), le.Uint32(seq[4:])}
	laddr, raddr := b[unsafe.Offsetof(w.Laddr):], b[unsafe.Offsetof(w.Raddr):]
	lport, rport := le.Uint16(b[unsafe.Offsetof(w.Lport):]), le.Uint16(b[unsafe.Offsetof(w.Rport):])
	switch c.Family {
	case FamilyInet:
		c.Local = netip.AddrPortFrom(netip.AddrFrom4([4]byte(laddr)), lport)
		c.Remote = netip.AddrPortFrom(netip.AddrFrom4([4]byte(raddr)), rport)
	case FamilyInet6:
		c.Local = netip.AddrPortFrom(netip.AddrFrom16([16]byte(laddr)).Unmap(), lport)
		c.Remote = netip.AddrPortFrom(netip.AddrFrom16([16]byte(raddr)).Unmap(), rport)
	case FamilyUnix:
		n := min(le.Uint32(b[unsafe.Offsetof(w.PathLen):]), uint32(len(w.Path)))
		c.Path = unixName(b[unsafe.Offsetof(w.Path):][:n])
	default:
		return fmt.Errorf("%w: conn: address family %d", ErrRecord, c.Family)
	}
	return nil
}

// unixName turns sun_path into text: abstract names start with NUL, path names end with one (unix(7)).
func unixName(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if b[0] == 0 {
		return "@" + string(b[1:])
	}
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

// Decode fills d from a record whose kind is KindData. Payload aliases b.
func (d *Data) Decode(b []byte) error {
	var w WireData
	const size = unsafe.Sizeof(w)
	if len(b) < int(size) {
		return short("data", len(b), int(size))
	}
	captured := le.Uint32(b[unsafe.Offsetof(w.Captured):])
	total := le.Uint32(b[unsafe.Offsetof(w.Total):])
	dir := le.Uint16(b[unsafe.Offsetof(w.Dir):])
	if int(captured) != len(b)-int(size) || captured > total || dir > uint16(Send) {
		return fmt.Errorf("%w: data: %d bytes, captured %d of %d, direction %d", ErrRecord, len(b), captured, total, dir)
	}
	d.Ktime = ktime(b)
	d.Conn = le.Uint64(b[unsafe.Offsetof(w.Conn):])
	d.Pos = le.Uint64(b[unsafe.Offsetof(w.Pos):])
	d.OtherPos = le.Uint64(b[unsafe.Offsetof(w.OtherPos):])
	d.OtherKtime = le.Uint64(b[unsafe.Offsetof(w.OtherKtime):])
	d.Tail = [8]byte(b[unsafe.Offsetof(w.Tail):])
	d.Task = le.Uint64(b[unsafe.Offsetof(w.Task):])
	d.ParentTask = le.Uint64(b[unsafe.Offsetof(w.ParentTask):])
	d.Total = total
	d.TGID = le.Uint32(b[unsafe.Offsetof(w.Tgid):])
	d.TID = le.Uint32(b[unsafe.Offsetof(w.Tid):])
	d.Flags = le.Uint32(b[unsafe.Offsetof(w.Flags):])
	d.Dir = Dir(dir)
	d.Turn = le.Uint16(b[unsafe.Offsetof(w.Turn):])
	d.First = d.Ktime
	if d.Flags&DataEarly != 0 {
		d.First = min(le.Uint64(d.Tail[:]), d.Ktime)
	}
	d.Payload = b[size:]
	return nil
}

// Decode fills o from a record whose kind is KindOpen.
func (o *Open) Decode(b []byte) error {
	var w WireOpen
	if len(b) < int(unsafe.Sizeof(w)) {
		return short("open", len(b), int(unsafe.Sizeof(w)))
	}
	*o = Open{
		Ktime: ktime(b),
		Conn:  le.Uint64(b[unsafe.Offsetof(w.Conn):]),
		TGID:  le.Uint32(b[unsafe.Offsetof(w.Tgid):]),
		TID:   le.Uint32(b[unsafe.Offsetof(w.Tid):]),
	}
	return nil
}

// Decode fills e from a record whose kind is KindEOF or KindClose.
func (e *EOF) Decode(b []byte) error {
	var w WireEOF
	if len(b) < int(unsafe.Sizeof(w)) {
		return short("eof", len(b), int(unsafe.Sizeof(w)))
	}
	dir := le.Uint32(b[unsafe.Offsetof(w.Dir):])
	if dir > uint32(Send) {
		return fmt.Errorf("%w: eof: direction %d", ErrRecord, dir)
	}
	pos, last := b[unsafe.Offsetof(w.Pos):], b[unsafe.Offsetof(w.LastKtime):]
	*e = EOF{
		Ktime:     ktime(b),
		Conn:      le.Uint64(b[unsafe.Offsetof(w.Conn):]),
		Pos:       [2]uint64{le.Uint64(pos), le.Uint64(pos[8:])},
		LastKtime: [2]uint64{le.Uint64(last), le.Uint64(last[8:])},
		Dir:       Dir(dir),
		Err:       le.Uint32(b[unsafe.Offsetof(w.Err):]),
	}
	return nil
}

// Decode fills p from a record whose kind is KindProc.
func (p *Proc) Decode(b []byte) error {
	var w WireProc
	older := int(unsafe.Offsetof(w.Program)) // recordings from before programs had names
	if len(b) < int(unsafe.Sizeof(w)) && len(b) != older {
		return short("proc", len(b), int(unsafe.Sizeof(w)))
	}
	*p = Proc{
		Op:       ProcOp(le.Uint32(b[unsafe.Offsetof(w.Op):])),
		TGID:     le.Uint32(b[unsafe.Offsetof(w.Tgid):]),
		PTGID:    le.Uint32(b[unsafe.Offsetof(w.Ptgid):]),
		Selected: le.Uint32(b[unsafe.Offsetof(w.Selected):]) != 0,
	}
	if len(b) > older {
		p.Program = le.Uint64(b[unsafe.Offsetof(w.Program):])
		p.Stack = le.Uint64(b[unsafe.Offsetof(w.Stack):])
	}
	return nil
}

// Decode fills l from a record whose kind is KindListen.
func (l *Listen) Decode(b []byte) error {
	var w WireListen
	older := int(unsafe.Offsetof(w.Stack)) // recordings from before programs were told apart
	if len(b) < int(unsafe.Sizeof(w)) && len(b) != older {
		return short("listen", len(b), int(unsafe.Sizeof(w)))
	}
	*l = Listen{
		TGID:     le.Uint32(b[unsafe.Offsetof(w.Tgid):]),
		Port:     le.Uint16(b[unsafe.Offsetof(w.Port):]),
		Selected: le.Uint32(b[unsafe.Offsetof(w.Selected):]) != 0,
	}
	if len(b) > older {
		l.Stack = le.Uint64(b[unsafe.Offsetof(w.Stack):])
	}
	return nil
}
