# SPDX-License-Identifier: Apache-2.0
"""A server that executes another program and goes on serving its socket.

reexec.py PORT [FD]: one request per connection. GET /exec/PATH is answered,
and then PATH is executed with this script in the same process.
"""
import os
import socket
import sys

if len(sys.argv) > 2:
    listener = socket.socket(fileno=int(sys.argv[2]))
else:
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=100)
while True:
    conn, _ = listener.accept()
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        got = conn.recv(4096)
        if not got:
            break
        head += got
    if not head:
        conn.close()
        continue
    target = head.split(b" ", 2)[1].decode()
    conn.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nok\n")
    conn.close()
    if target.startswith("/exec/"):
        os.set_inheritable(listener.fileno(), True)
        program = target[len("/exec"):]
        os.execv(program, [program, "-B", sys.argv[0], sys.argv[1], str(listener.fileno())])
