# SPDX-License-Identifier: Apache-2.0
"""An ASGI application with an httpx client that keeps connections. In the mode
"handover" a task of its own writes the response, as streamed ones are."""

import asyncio

import httpx
from plan import TRUTH, Plan, together

client = None


async def call(url, headers, wait):
    await asyncio.sleep(wait)
    response = await client.get(url, headers=headers)
    response.raise_for_status()
    return response.text


async def respond(send, said):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": ",".join(said).encode()})


async def app(scope, receive, send):
    global client
    if scope["type"] != "http":
        return
    if client is None:
        client = httpx.AsyncClient(trust_env=False, timeout=30)
    truth = dict(scope["headers"])[TRUTH.lower().encode()].decode()
    plan = Plan(scope["path"], truth)
    calls = [call(url, headers, plan.wait) for url, headers in plan.calls]
    said = await together("par" if plan.mode == "handover" else plan.mode, calls)
    if plan.mode == "handover":
        await asyncio.create_task(respond(send, said))
    else:
        await respond(send, said)
