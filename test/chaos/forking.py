# SPDX-License-Identifier: Apache-2.0
"""A server that forks a process for every connection. Usage: forking.py PORT"""
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ForkingMixIn, TCPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        body = (self.path + "\n").encode() * 4
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ForkingMixIn, HTTPServer):
    request_queue_size = 1024
    max_children = 400
    server_bind = TCPServer.server_bind  # HTTPServer's asks for the host's name


Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
