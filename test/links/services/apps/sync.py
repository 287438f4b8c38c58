# SPDX-License-Identifier: Apache-2.0
"""Calls by the thread that runs them: by turns on kept connections and on new ones."""

import http.client
import threading
import time
import urllib.parse
import urllib.request

_local = threading.local()


def kept(host):
    """This thread's connection to host."""
    connections = _local.__dict__.setdefault("connections", {})
    if host not in connections:
        connections[host] = http.client.HTTPConnection(host)
    return connections[host]


def call(number, plan):
    """Makes one call of the plan and returns what the leaf said."""
    url, headers = plan.calls[number]
    time.sleep(plan.wait)
    if number % 2:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as response:
            return response.read().decode()
    parts = urllib.parse.urlsplit(url)
    connection = kept(parts.netloc)
    connection.request("GET", parts.path, headers=headers)
    response = connection.getresponse()
    body = response.read().decode()
    if response.status != 200:
        raise RuntimeError(f"{url}: {response.status} {body}")
    return body
