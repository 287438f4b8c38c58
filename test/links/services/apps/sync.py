# SPDX-License-Identifier: Apache-2.0
"""Calls by the thread that runs them: by turns on kept connections and on new ones."""

import threading
import time
import urllib.request

import requests

_local = threading.local()


def session():
    """A requests.Session per thread, which keeps its connections."""
    if not hasattr(_local, "session"):
        _local.session = requests.Session()
        _local.session.trust_env = False
    return _local.session


def call(number, plan):
    """Makes one call of the plan and returns what the leaf said."""
    url, headers = plan.calls[number]
    time.sleep(plan.wait)
    if number % 2:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as response:
            return response.read().decode()
    response = session().get(url, headers=headers)
    response.raise_for_status()
    return response.text
