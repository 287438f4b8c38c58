# SPDX-License-Identifier: Apache-2.0
"""aio.py PORT: an aiohttp server with an aiohttp client. In the mode "detached"
tasks make the calls that outlive the request. With BACKGROUND set it also makes
calls that serve no request."""

import asyncio
import os
import sys

from aiohttp import ClientSession, web
from plan import TRUTH, Plan, together


async def call(session, url, headers, wait):
    await asyncio.sleep(wait)
    async with session.get(url, headers=headers, raise_for_status=True) as response:
        return await response.text()


def work(app, plan):
    """The calls of a plan, not yet begun."""
    return [call(app["session"], url, headers, plan.wait) for url, headers in plan.calls]


async def background(app):
    while True:
        await asyncio.gather(*work(app, Plan("/do/seq/1/7/1", "background")))


async def handle(request):
    plan = Plan(request.path, request.headers[TRUTH])
    calls = work(request.app, plan)
    if plan.mode == "detached":
        request.app["detached"].add(asyncio.gather(*calls))
        return web.Response()
    said = await together(plan.mode, calls)
    return web.Response(text=",".join(said))


async def sessions(app):
    app["detached"] = set()  # keeps what runs from being collected
    async with ClientSession() as app["session"]:
        if os.environ.get("BACKGROUND"):
            app["background"] = asyncio.create_task(background(app))
        yield


app = web.Application()
app.cleanup_ctx.append(sessions)
app.router.add_get("/do/{rest:.*}", handle)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
