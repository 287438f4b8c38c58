// SPDX-License-Identifier: Apache-2.0

package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// answerTimeout bounds one exchange, so that a dead server ends the run.
const answerTimeout = 30 * time.Second

var errStatus = errors.New("status is not 2xx")

// conn is one keep-alive connection, opened when it is first needed.
type conn struct {
	addr string
	tcp  net.Conn
	in   *bufio.Reader
}

func (c *conn) close() {
	if c.tcp != nil {
		_ = c.tcp.Close()
		c.tcp = nil
	}
}

// get sends one request and reads its answer to the end. After an error the
// connection is closed; the next call opens another.
func (c *conn) get(target string) error {
	if err := c.open(); err != nil {
		return err
	}
	_ = c.tcp.SetDeadline(time.Now().Add(answerTimeout))
	_, err := c.tcp.Write([]byte("GET " + target + " HTTP/1.1\r\nHost: " + c.addr + "\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"))
	if err != nil {
		c.close()
		return fmt.Errorf("send request: %w", err)
	}
	keep, err := c.answer()
	if err != nil || !keep {
		c.close()
	}
	return err
}

func (c *conn) open() error {
	if c.tcp != nil {
		return nil
	}
	tcp, err := net.Dial("tcp", c.addr)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	c.tcp, c.in = tcp, bufio.NewReaderSize(tcp, 16<<10)
	return nil
}

// adopt makes a conn of a connection that is open. Many of them may exist.
func adopt(addr string, tcp net.Conn) *conn {
	return &conn{addr: addr, tcp: tcp, in: bufio.NewReaderSize(tcp, 512)}
}

// answer reads one response, whose body must have a Content-Length: the
// benchmark's servers all send one. It reports if the connection can go on.
func (c *conn) answer() (keep bool, err error) {
	status, err := c.line()
	if err != nil {
		return false, err
	}
	if len(status) < len("HTTP/1.1 200") {
		return false, fmt.Errorf("malformed status line %q", status)
	}
	good := status[9] == '2'
	length := -1
	keep = !bytes.HasPrefix(status, []byte("HTTP/1.0"))
	for {
		header, err := c.line()
		if err != nil {
			return false, err
		}
		if len(header) == 0 {
			break
		}
		name, value, _ := bytes.Cut(header, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			length, err = strconv.Atoi(string(value))
		case bytes.EqualFold(name, []byte("Connection")):
			keep = !bytes.EqualFold(value, []byte("close"))
		}
		if err != nil {
			return false, fmt.Errorf("response header %q: %w", header, err)
		}
	}
	if length < 0 {
		return false, errors.New("response has no content length")
	}
	if _, err := c.in.Discard(length); err != nil {
		return false, fmt.Errorf("read body: %w", err)
	}
	if !good {
		return keep, errStatus
	}
	return keep, nil
}

// line returns the next line without its end. It is valid until the next read.
func (c *conn) line() ([]byte, error) {
	b, err := c.in.ReadSlice('\n')
	if err != nil {
		return nil, fmt.Errorf("read response: %w", err)
	}
	return bytes.TrimRight(b, "\r\n"), nil
}
