# SPDX-License-Identifier: Apache-2.0
"""aio.py PORT: an aiohttp server with an aiohttp client."""

import asyncio
import sys

from aiohttp import ClientSession, web
from plan import TRUTH, Plan


async def call(session, url, headers, wait):
    await asyncio.sleep(wait)
    async with session.get(url, headers=headers, raise_for_status=True) as response:
        return await response.text()


async def handle(request):
    plan = Plan(request.path, request.headers[TRUTH])
    calls = [call(request.app["session"], url, headers, plan.wait) for url, headers in plan.calls]
    said = await asyncio.gather(*calls) if plan.mode == "par" else [await c for c in calls]
    return web.Response(text=",".join(said))


async def sessions(app):
    async with ClientSession() as app["session"]:
        yield


app = web.Application()
app.cleanup_ctx.append(sessions)
app.router.add_get("/do/{rest:.*}", handle)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
