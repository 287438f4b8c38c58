# SPDX-License-Identifier: Apache-2.0
"""The agent's main job, in a guest: real servers, real requests, and exactly
the spans that they must give. Usage: spine.py AGENT BACKEND"""
import collections
import json
import os
import subprocess
import sys
import time

AGENT, BACKEND = sys.argv[1:3]
NGINX, PYTHON, UNSELECTED = 8081, 8082, 8090
SOCKET = "/run/nginx-http.sock"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
DEADLINE_S = 120  # the guest is emulated and may share its host

NGINX_CONF = f"""
user root;
worker_processes 2;
error_log /tmp/nginx.log;
pid /tmp/nginx.pid;
events {{ worker_connections 128; }}
http {{
  access_log off;
  server {{
    listen 127.0.0.1:{NGINX};
    listen [::1]:{NGINX};
    listen unix:{SOCKET};
    location / {{ return 200 "hello\\n"; }}
    location /missing {{ return 404; }}
    location /broken {{ return 500; }}
    location /empty {{ return 204; }}
  }}
}}
"""

Request = collections.namedtuple("Request", "path status method curl port parent", defaults=["GET", [], NGINX, False])

CONTEXT = ["-H", f"traceparent: 00-{TRACE}-{PARENT}-01"]
# Every path is requested once: it identifies the span.
REQUESTS = [
    Request("/plain", 200),
    Request("/query", 200, curl=["?page=2"]),
    Request("/head", 200, "HEAD", ["--head"]),
    Request("/post", 200, "POST", ["--data-binary", "x" * 3000]),
    Request("/missing", 404),
    Request("/broken", 500),
    Request("/empty", 204),
    Request("/delete", 200, "DELETE", ["-X", "DELETE"]),
    Request("/context", 200, curl=CONTEXT, parent=True),
    Request("/late-context", 200, curl=["-H", "Cookie: " + "c" * 3000] + CONTEXT, parent=True),
    Request("/unix", 200, curl=["--unix-socket", SOCKET]),
    Request("/python", 404, port=PYTHON),
    Request("/python-context", 404, curl=CONTEXT, port=PYTHON, parent=True),
    Request("/python-post", 501, "POST", ["-d", "x"], port=PYTHON),
]
KEPT = [f"/kept-{n}" for n in range(5)]  # one connection of curl
IPV6 = "/ipv6"


def start(name, *command):
    log = open(f"/out/{name}.log", "wb")
    return subprocess.Popen(command, stdout=log, stderr=log)


def curl(*arguments):
    return subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code} ", *arguments], capture_output=True, text=True, check=True).stdout.split()


def await_true(what, condition):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            fail(f"{what}: not within {DEADLINE_S} s")
        time.sleep(0.1)


def fail(why):
    print(f"FAIL kernel={os.uname().release} backend={BACKEND}: {why}")
    for name in ("agent.stderr", "agent.stdout"):
        print(f"--- {name}")
        print(read(f"/out/{name}")[-6000:])
    sys.exit(1)


def read(path):
    with open(path, errors="replace") as f:
        return f.read()


def listens(port):
    return subprocess.run(["curl", "-s", "-o", "/dev/null", f"http://127.0.0.1:{port}/"]).returncode == 0


def send(r):
    url = f"http://127.0.0.1:{r.port}{r.path}"
    arguments = list(r.curl)
    if arguments and arguments[0].startswith("?"):
        url += arguments.pop(0)
    got = curl(*arguments, url)
    if got != [str(r.status)]:
        fail(f"{r.path}: curl got {got}, not {r.status}")


def send_all():
    for r in REQUESTS:
        send(r)
    curl(*[word for path in KEPT for word in ("-o", "/dev/null", f"http://127.0.0.1:{NGINX}{path}")])
    curl("-g", f"http://[::1]:{NGINX}{IPV6}")
    for n in range(3):
        curl(f"http://127.0.0.1:{UNSELECTED}/secret-{n}")


def wanted():
    rows = {r.path: r for r in REQUESTS}
    rows.update({path: Request(path, 200) for path in KEPT + [IPV6]})
    return rows


def spans():
    # The last line may be in the middle of being written.
    return [json.loads(line) for line in read("/out/agent.stdout").split("\n")[:-1] if line]


def differences(span, want):
    a = span["attributes"]
    checks = [
        ("kind", span["kind"], "server"),
        ("method", a.get("http.request.method"), want.method),
        ("status", a.get("http.response.status_code"), want.status),
        ("query", a.get("url.query", ""), "page=2" if want.path == "/query" else ""),
        ("parent", span.get("parent_span_id", ""), PARENT if want.parent else ""),
        ("status of span", span["status"], "error" if want.status >= 500 else "unset"),
        ("times", span["start_unix_nano"] <= span["end_unix_nano"], True),
    ]
    if want.parent:
        checks.append(("trace", span["trace_id"], TRACE))
    if want.path != "/unix":
        checks.append(("port", a.get("server.port"), want.port))
    return [f"{want.path}: {name} is {got!r}, not {expected!r}" for name, got, expected in checks if got != expected]


def judge(found):
    want = wanted()
    wrong = []
    seen = collections.Counter(s["attributes"].get("url.path") for s in found)
    for path, count in seen.items():
        if path not in want:
            wrong.append(f"{path}: {count} spans, but nothing with that path is to be traced")
        elif count > 1:
            wrong.append(f"{path}: {count} spans, not 1")
    for path in want:
        if path not in seen:
            wrong.append(f"{path}: no span")
    for span in found:
        row = want.get(span["attributes"].get("url.path"))
        if row:
            wrong += differences(span, row)
    return wrong


def main():
    with open("/tmp/nginx.conf", "w") as f:
        f.write(NGINX_CONF)
    start("nginx", "nginx", "-g", "daemon off;", "-c", "/tmp/nginx.conf")
    for port in (PYTHON, UNSELECTED):
        start(f"python-{port}", "python3", "-m", "http.server", "--bind", "127.0.0.1", "--directory", "/tmp", str(port))
    for port in (NGINX, PYTHON, UNSELECTED):
        await_true(f"server on {port}", lambda: listens(port))

    out, err = open("/out/agent.stdout", "wb"), open("/out/agent.stderr", "wb")
    agent = subprocess.Popen(
        [AGENT, "run", "--port", f"{NGINX},{PYTHON}", "--backend", BACKEND, "--stdout", "json"], stdout=out, stderr=err)
    await_true("agent ready", lambda: "tracer-agent ready:" in read("/out/agent.stderr") or agent.poll() is not None)
    if agent.poll() is not None:
        fail(f"the agent ended with status {agent.returncode}")
    print([line for line in read("/out/agent.stderr").split("\n") if line.startswith("tracer-agent ready:")][0])

    send_all()
    # Ending the agent flushes it, so what is missing afterwards is lost.
    agent.terminate()
    if agent.wait(DEADLINE_S) != 0:
        fail(f"the agent ended with status {agent.returncode} after SIGTERM")
    wrong = judge(spans())
    if wrong:
        fail("\n  ".join([f"{len(wrong)} differences", *wrong]))
    print(f"PASS kernel={os.uname().release} backend={BACKEND} spans={len(wanted())}")


main()
