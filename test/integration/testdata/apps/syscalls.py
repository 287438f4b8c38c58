# SPDX-License-Identifier: Apache-2.0
"""A server that moves bytes by a different pair of system calls per connection.

syscalls.py PORT: connection number i, counted from 0, uses STYLES[i % len].
"syscalls.py list" prints the names. Every answer is 200 with the name of the
style, padded with dots to 600 bytes.
"""
import ctypes
import os
import socket
import sys
import tempfile

LIBC = ctypes.CDLL(None, use_errno=True)


class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]


class Msghdr(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint), ("iov", ctypes.POINTER(Iovec)),
                ("iovlen", ctypes.c_size_t), ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t),
                ("flags", ctypes.c_int)]


class Mmsghdr(ctypes.Structure):
    _fields_ = [("hdr", Msghdr), ("len", ctypes.c_uint)]


def mmsg(buffers):
    """One message of one buffer each."""
    vec = (Mmsghdr * len(buffers))()
    iovs = (Iovec * len(buffers))()
    for i, b in enumerate(buffers):
        iovs[i] = Iovec(ctypes.addressof(b), len(b))
        vec[i].hdr.iov = ctypes.pointer(iovs[i])
        vec[i].hdr.iovlen = 1
    return vec, iovs


def recvmmsg(s):
    """Two buffers; MSG_WAITFORONE returns with what one call can get."""
    bufs = [ctypes.create_string_buffer(64), ctypes.create_string_buffer(4096)]
    vec, keep = mmsg(bufs)
    n = LIBC.recvmmsg(s.fileno(), vec, len(bufs), 0x10000, None)
    if n < 0:
        raise OSError(ctypes.get_errno(), "recvmmsg")
    return b"".join(bufs[i].raw[:vec[i].len] for i in range(n))


def sendmmsg(s, data):
    cut = [data[:10], data[10:200], data[200:]]
    bufs = [ctypes.create_string_buffer(p, len(p)) for p in cut]
    vec, keep = mmsg(bufs)
    if LIBC.sendmmsg(s.fileno(), vec, len(bufs), 0) != len(bufs):
        raise OSError(ctypes.get_errno(), "sendmmsg")


def split(data, *sizes):
    out, at = [], 0
    for n in sizes:
        out.append(data[at:at + n])
        at += n
    return [p for p in out + [data[at:]] if p]


def readv(s):
    bufs = [bytearray(1), bytearray(2), bytearray(61), bytearray(4096)]
    n = os.readv(s.fileno(), bufs)
    return b"".join(bufs)[:n]


def recvmsg(s, count=15):
    bufs = [bytearray(7) for _ in range(count)] + [bytearray(4096)]
    n = s.recvmsg_into(bufs)[0]
    return b"".join(bufs)[:n]


def peek(s):
    """Looks twice before it reads: the looks must not count."""
    s.recv(10, socket.MSG_PEEK)
    seen = s.recv(4096, socket.MSG_PEEK)
    return s.recv(len(seen))


def nonblocking(s):
    s.setblocking(False)
    try:
        while True:
            try:
                return s.recv(100)
            except BlockingIOError:
                pass
    finally:
        s.setblocking(True)


def sendfile(s, data):
    head, body = data.split(b"\r\n\r\n", 1)
    s.send(head + b"\r\n\r\n", socket.MSG_MORE)
    with tempfile.TemporaryFile() as f:
        f.write(body)
        f.flush()
        os.sendfile(s.fileno(), f.fileno(), 0, len(body))


def splice(s, data):
    head, body = data.split(b"\r\n\r\n", 1)
    s.send(head + b"\r\n\r\n")
    r, w = os.pipe()
    os.write(w, body)
    os.close(w)
    left = len(body)
    while left:
        left -= os.splice(r, s.fileno(), left)
    os.close(r)


def tiny(s, data):
    for i in range(0, len(data), 7):
        s.send(data[i:i + 7])


STYLES = [
    ("recv+send", lambda s: s.recv(4096), lambda s, d: s.sendall(d)),
    ("read+write", lambda s: os.read(s.fileno(), 4096), lambda s, d: os.write(s.fileno(), d)),
    ("readv+writev", readv, lambda s, d: os.writev(s.fileno(), split(d, 1, 3, 20, 100))),
    ("recvmsg+sendmsg", recvmsg, lambda s, d: s.sendmsg(split(d, *[5] * 15))),
    ("recvmmsg+sendmmsg", recvmmsg, sendmmsg),
    ("recvfrom+sendto", lambda s: s.recvfrom(4096)[0], lambda s, d: s.sendto(d, 0, s.getpeername())),
    ("peek+send", peek, lambda s, d: s.sendall(d)),
    ("bytewise+tiny", lambda s: s.recv(1), tiny),
    ("nonblocking+send", nonblocking, lambda s, d: s.sendall(d)),
    ("recv+sendfile", lambda s: s.recv(4096), sendfile),
    ("recv+splice", lambda s: s.recv(4096), splice),
    # More buffers than the agent looks at: 16.
    ("many+send", lambda s: recvmsg(s, 25), lambda s, d: s.sendall(d)),
]


def serve(conn, name, receive, send):
    body = name.encode().ljust(600, b".")
    data = b""
    while True:
        got = receive(conn)
        if not got:
            return
        data += got
        while b"\r\n\r\n" in data:
            data = data.split(b"\r\n\r\n", 1)[1]
            send(conn, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def main():
    if sys.argv[1] == "list":
        print("\n".join(s[0] for s in STYLES))
        return
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    listener.accept()[0].close()  # the test's look whether anybody listens
    i = 0
    while True:
        conn, _ = listener.accept()
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with conn:
            serve(conn, *STYLES[i % len(STYLES)])
        i += 1


main()
