# SPDX-License-Identifier: Apache-2.0
"""WSGI application under test, run by gunicorn."""
import time


def pattern(n):
    return (b"abcdefghijklmnopqrstuvwxyz" * (n // 26 + 1))[:n]


def pieces(n):
    body = pattern(n)
    for at in range(0, n, 1000):
        yield body[at:at + 1000]


def stream():
    for i in range(4):
        if i:
            time.sleep(0.25)
        yield pattern(100)


STATUS = {"ok": ("200 OK", b"ok\n"), "fail": ("500 Internal Server Error", b"bad\n")}


def app(environ, start_response):
    route, _, arg = environ["PATH_INFO"].lstrip("/").partition("/")

    def reply(status, body):
        start_response(status, [("Content-Length", str(len(body)))])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    if route in STATUS:
        return reply(*STATUS[route])
    if route == "empty":
        start_response("204 No Content", [])
        return []
    if route == "notmodified":
        start_response("304 Not Modified", [])
        return []
    if route == "size":
        return reply("200 OK", pattern(int(arg)))
    if route == "chunked":
        start_response("200 OK", [])
        return pieces(int(arg))
    if route == "stream":
        start_response("200 OK", [])
        return stream()
    if route == "echo":
        return reply("200 OK", environ["wsgi.input"].read())
    return reply("404 Not Found", b"no\n")
