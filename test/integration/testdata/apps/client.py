# SPDX-License-Identifier: Apache-2.0
"""Python http.client under test: the plan on stdin, the results on stdout."""
import hashlib
import http.client
import json
import sys
from urllib.parse import urlsplit


def run(conn, r):
    url = urlsplit(r["url"])
    target = url.path + ("?" + url.query if url.query else "")
    body = r.get("body") or None
    headers = dict(r.get("headers") or {})
    chunked = bool(body and r.get("chunked"))
    if chunked:
        headers["Transfer-Encoding"] = "chunked"
        body = iter([body.encode()])
    conn.request(r["method"], target, body=body, headers=headers, encode_chunked=chunked)
    resp = conn.getresponse()
    data = resp.read()
    return {"status": resp.status, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def main():
    plan, results, conn = json.load(sys.stdin), [], None
    for r in plan:
        if conn is None:
            url = urlsplit(r["url"])
            conn = http.client.HTTPConnection(url.hostname, url.port, timeout=20)
        try:
            results.append(run(conn, r))
        except (OSError, http.client.HTTPException) as e:
            results.append({"status": 0, "size": 0, "sha256": "", "error": repr(e)})
            conn.close()
    json.dump(results, sys.stdout)


main()
