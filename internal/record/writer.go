// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
)

// Writer appends frames to a recording, up to a size. After an error, or when
// the next frame would exceed the size, it writes nothing more and counts. Safe
// for concurrent use.
type Writer struct {
	mu      sync.Mutex
	file    io.WriteCloser
	buf     *bufio.Writer
	limit   int64
	size    int64
	written uint64
	skipped uint64
	err     error
}

// Create makes a recording at path, which must not exist, readable by its owner
// alone and of at most limit bytes.
func Create(path string, limit int64, h Header) (*Writer, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create recording: %w", err)
	}
	w, err := NewWriter(f, limit, h)
	if err != nil {
		f.Close()
		return nil, err
	}
	return w, nil
}

// NewWriter is Create for any file, which it closes in the end.
func NewWriter(f io.WriteCloser, limit int64, h Header) (*Writer, error) {
	w := &Writer{file: f, buf: bufio.NewWriterSize(f, 64<<10), limit: limit}
	h.Version = Version
	text, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("encode header of recording: %w", err)
	}
	w.Frame(kindMagic, []byte(magic))
	w.Frame(kindHeader, text)
	if w.skipped > 0 {
		return nil, fmt.Errorf("begin recording: %d bytes are not enough for its header", limit)
	}
	return w, w.Flush()
}

// Frame appends a frame. b is not kept.
func (w *Writer) Frame(k Kind, b []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	size := int64(5 + len(b))
	if w.err != nil || w.size+size > w.limit {
		w.limit = w.size // what follows a gap could not be understood
		w.skipped++
		return
	}
	head := [5]byte{byte(k)}
	binary.LittleEndian.PutUint32(head[1:], uint32(len(b)))
	if _, w.err = w.buf.Write(head[:]); w.err == nil {
		_, w.err = w.buf.Write(b)
	}
	w.size += size
	w.written++
}

// Number appends a frame that holds numbers.
func (w *Writer) Number(k Kind, values ...uint64) {
	b := make([]byte, 0, 32)
	for _, v := range values {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	w.Frame(k, b)
}

// Target appends what a process is called.
func (w *Writer) Target(t Target) error {
	text, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("encode target of recording: %w", err)
	}
	w.Frame(KindTarget, text)
	return nil
}

// Counts returns how many frames were written and how many were not, because
// the file was full or could not be written.
func (w *Writer) Counts() (written, skipped uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.written, w.skipped
}

// Flush writes what is buffered to the file.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = w.buf.Flush()
	}
	if w.err != nil {
		return fmt.Errorf("write recording: %w", w.err)
	}
	return nil
}

// Close writes what is buffered and closes the file.
func (w *Writer) Close() error {
	err := w.Flush()
	if closeErr := w.file.Close(); err == nil && closeErr != nil {
		err = fmt.Errorf("close recording: %w", closeErr)
	}
	return err
}
