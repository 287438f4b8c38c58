# SPDX-License-Identifier: Apache-2.0
"""oneanswer.py PORT MEGABYTES: answers one request and ends, with so much memory
that its end takes the kernel a while."""

import mmap
import os
import socket
import sys

memory = mmap.mmap(-1, int(sys.argv[2]) << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
memory.madvise(mmap.MADV_NOHUGEPAGE)
for at in range(0, len(memory), mmap.PAGESIZE):
    memory[at] = 1
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
head = b""
while not head.endswith(b"\r\n\r\n"):
    connection, _ = listener.accept()
    while not head.endswith(b"\r\n\r\n") and (more := connection.recv(65536)):
        head += more
connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
os._exit(0)
