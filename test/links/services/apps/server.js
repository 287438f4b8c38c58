// SPDX-License-Identifier: Apache-2.0
// server.js PORT CLIENT LEAF...: an HTTP server that calls leaves, by an agent
// that keeps connections (CLIENT "agent") or by fetch. In the mode "detached" it
// answers before it makes the calls. With BACKGROUND set it also makes calls that
// serve no request.
"use strict";
const http = require("http");
const { setTimeout: sleep } = require("timers/promises");

const [port, client, ...leaves] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true, maxFreeSockets: 16 });

function byAgent(url, headers) {
  return new Promise((resolve, reject) => {
    http
      .get(url, { agent, headers }, (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (part) => (body += part));
        response.on("end", () => (response.statusCode === 200 ? resolve(body) : reject(new Error(body))));
      })
      .on("error", reject);
  });
}

async function byFetch(url, headers) {
  const response = await fetch(url, { headers });
  if (!response.ok) throw new Error(response.statusText);
  return response.text();
}

const ask = client === "agent" ? byAgent : byFetch;

async function work(url, truth) {
  const [, , mode, calls, wait, leafTime] = url.split("/");
  const call = async (n) => {
    await sleep(Number(wait));
    return ask(`http://${leaves[n % leaves.length]}/leaf/${leafTime}`, { "x-truth-id": `${truth}.${n}` });
  };
  const numbers = [...Array(Number(calls)).keys()];
  if (mode === "par") return Promise.all(numbers.map(call));
  const said = [];
  for (const n of numbers) said.push(await call(n));
  return said;
}

async function background() {
  for (;;) await work("/do/seq/1/7/1", "background");
}
if (process.env.BACKGROUND) background().catch(console.error);

http
  .createServer((request, response) => {
    const working = work(request.url, request.headers["x-truth-id"]);
    if (request.url.startsWith("/do/detached/")) {
      working.catch(console.error);
      response.end();
      return;
    }
    working.then(
      (said) => response.end(said.join(",")),
      (error) => {
        response.statusCode = 502;
        response.end(String(error.stack));
      },
    );
  })
  .listen(Number(port), "127.0.0.1");
