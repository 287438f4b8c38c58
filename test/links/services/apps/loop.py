# SPDX-License-Identifier: Apache-2.0
"""loop.py PORT: an HTTP server on asyncio alone, with a task for each request,
and a client with a connection for each call. In the mode "batch" a task makes
one call for all requests that wait, and answers them."""

import asyncio
import sys
from urllib.parse import urlsplit

from plan import LEAVES, TRUTH, Plan, together

batches, waiting = [], []


async def call(url, headers, wait):
    await asyncio.sleep(wait)
    to = urlsplit(url)
    reader, writer = await asyncio.open_connection(to.hostname, to.port)
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"GET {to.path} HTTP/1.1\r\nHost: leaf\r\nConnection: close\r\n{fields}\r\n".encode())
    answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise ValueError(answer)
    return body.decode()


async def batch():
    await asyncio.sleep(0.003)
    served, waiting[:] = waiting[:], []
    said = await call(f"http://{LEAVES[0]}/leaf/2", {TRUTH: f"batch.{len(batches)}"}, 0)
    for connection in served:
        connection.answer(said)


class Connection(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.bytes, self.tasks = transport, b"", set()

    def data_received(self, data):
        self.bytes += data
        while b"\r\n\r\n" in self.bytes:
            head, _, self.bytes = self.bytes.partition(b"\r\n\r\n")
            task = asyncio.get_running_loop().create_task(self.handle(head.decode()))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def handle(self, head):
        first, *fields = head.split("\r\n")
        fields = dict(f.lower().split(": ", 1) for f in fields)
        plan = Plan(first.split()[1], fields[TRUTH.lower()])
        if plan.mode == "batch":
            waiting.append(self)
            if len(waiting) == 1:
                batches.append(asyncio.create_task(batch()))
            return
        said = await together(plan.mode, [call(url, headers, plan.wait) for url, headers in plan.calls])
        self.answer(",".join(said))

    def answer(self, said):
        body = said.encode()
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


async def main():
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


asyncio.run(main())
