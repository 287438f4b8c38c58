# SPDX-License-Identifier: Apache-2.0
"""A WSGI application that makes its calls in the thread that runs it."""

from plan import Plan
from sync import call


def app(environ, start_response):
    plan = Plan(environ["PATH_INFO"], environ["HTTP_X_TRUTH_ID"])
    body = ",".join(call(n, plan) for n in range(len(plan.calls))).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
