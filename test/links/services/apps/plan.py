# SPDX-License-Identifier: Apache-2.0
"""What every Python service under test does with a request: reads the plan in
its path, /do/MODE/CALLS/WAIT/LEAFTIME, and names its calls."""

import os

TRUTH = "X-Truth-Id"
LEAVES = os.environ["LEAVES"].split(",")


class Plan:
    """One request: calls is a list of (url, headers), wait is in seconds."""

    def __init__(self, path, truth):
        mode, calls, wait, leaf_time = path.strip("/").split("/")[1:]
        self.mode, self.wait = mode, int(wait) / 1000
        self.calls = [
            (f"http://{LEAVES[n % len(LEAVES)]}/leaf/{leaf_time}", {TRUTH: f"{truth}.{n}"}) for n in range(int(calls))
        ]
