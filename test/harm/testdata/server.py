# SPDX-License-Identifier: Apache-2.0
"""A threaded http.server that keeps connections. Usage: server.py PORT"""
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer

BIG = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" * 20000


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, body = 200, b"ok\n"
        if self.path == "/missing":
            status, body = 404, b"no\n"
        elif self.path == "/big":
            body = BIG
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = answer


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True
    server_bind = TCPServer.server_bind  # HTTPServer's asks for the host's name


Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
