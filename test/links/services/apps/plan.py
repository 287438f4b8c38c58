# SPDX-License-Identifier: Apache-2.0
"""What every Python service under test does with a request: reads the plan in
its path, /do/MODE/CALLS/WAIT/LEAFTIME, and names its calls."""

import asyncio
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


async def together(mode, calls):
    """Awaits the calls in the way that the mode says and returns their results."""
    if mode == "par":
        return await asyncio.gather(*calls)
    if mode == "tasks":
        return [await asyncio.create_task(c) for c in calls]
    if mode == "limits":
        return [await asyncio.wait_for(c, 30) for c in calls]
    if mode == "group":
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(c) for c in calls]
        return [t.result() for t in tasks]
    return [await c for c in calls]
