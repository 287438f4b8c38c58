# SPDX-License-Identifier: Apache-2.0
"""Python http.server under test.

server.py PORT [1.0|1.1] [thread|fork]: the protocol version that it speaks and
whether a connection gets a thread or a process of its own.
"""
import http.server
import os
import socketserver
import subprocess
import sys
import time


def pattern(n):
    return (b"abcdefghijklmnopqrstuvwxyz" * (n // 26 + 1))[:n]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/" + (sys.argv[2] if len(sys.argv) > 2 else "1.1")

    def log_message(self, *args):
        pass

    def reply(self, status, body, length=True):
        self.send_response(status)
        if length:
            self.send_header("Content-Length", str(len(body)))
        else:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def start_chunked(self):
        if self.request_version == "HTTP/1.0" or self.protocol_version == "HTTP/1.0":
            self.send_response(200)
            self.end_headers()
            return self.wfile.write
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        return self.chunk

    def finish_chunked(self, write):
        if write == self.chunk:
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.close_connection = True

    def stream(self):
        write = self.start_chunked()
        for i in range(4):
            if i:
                time.sleep(0.25)
            write(pattern(100))
        self.finish_chunked(write)

    def chunked(self, n):
        write = self.start_chunked()
        body = pattern(n)
        for at in range(0, n, 1000):
            write(body[at:at + 1000])
        self.finish_chunked(write)

    def spawn(self):
        """Run curl from this process, told what to do by a file: /spawn?FILE."""
        out = subprocess.run(["/usr/bin/curl", "-s", "-K", self.path.split("?")[1]], stdout=subprocess.PIPE, check=False)
        self.reply(200, b"%d\n" % len(out.stdout))

    def serve(self):
        route, _, arg = self.path.split("?")[0].lstrip("/").partition("/")
        if route == "ok":
            self.reply(200, b"ok\n")
        elif route == "pid":
            self.reply(200, b"%d\n" % os.getpid())
        elif route == "fail":
            self.reply(500, b"bad\n")
        elif route in ("empty", "notmodified"):
            self.send_response(204 if route == "empty" else 304)
            self.end_headers()
        elif route == "size":
            self.reply(200, pattern(int(arg)))
        elif route == "close":
            self.reply(200, pattern(int(arg)), length=False)
        elif route == "chunked":
            self.chunked(int(arg))
        elif route == "stream":
            self.stream()
        elif route == "spawn":
            self.spawn()
        elif route == "echo":
            self.reply(200, self.rfile.read(int(self.headers.get("Content-Length", 0))))
        else:
            self.reply(404, b"no\n")

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_PROPFIND = serve


class ForkingServer(socketserver.ForkingMixIn, http.server.HTTPServer):
    pass


if __name__ == "__main__":
    forking = len(sys.argv) > 3 and sys.argv[3] == "fork"
    kind = ForkingServer if forking else http.server.ThreadingHTTPServer
    kind.request_queue_size = 128
    kind(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
