# SPDX-License-Identifier: Apache-2.0
"""threads.py PORT: http.server with a thread per connection. In the mode "par"
the calls are handed to a pool that all requests share, in "detached" to threads
that outlive the request. With BACKGROUND set it also makes calls that serve no
request."""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from plan import TRUTH, Plan
from sync import call

POOL = ThreadPoolExecutor(16)


def run(plan):
    """Makes the calls of a plan and returns what the leaves said."""
    numbers = range(len(plan.calls))
    if plan.mode == "detached":
        for n in numbers:
            threading.Thread(target=call, args=(n, plan), daemon=True).start()
        return []
    if plan.mode == "par":
        return POOL.map(lambda n: call(n, plan), numbers)
    return [call(n, plan) for n in numbers]


def background():
    while True:
        call(0, Plan("/do/seq/1/7/1", "background"))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        plan = Plan(self.path, self.headers[TRUTH])
        body = ",".join(run(plan)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True


if os.environ.get("BACKGROUND"):
    threading.Thread(target=background, daemon=True).start()
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
