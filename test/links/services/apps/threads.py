# SPDX-License-Identifier: Apache-2.0
"""threads.py PORT: http.server with a thread per connection. In the mode "par"
the calls are handed to a pool that all requests share."""

import sys
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from plan import TRUTH, Plan
from sync import call

POOL = ThreadPoolExecutor(16)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        plan = Plan(self.path, self.headers[TRUTH])
        run = POOL.map if plan.mode == "par" else map
        body = ",".join(run(lambda n: call(n, plan), range(len(plan.calls)))).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True


Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
