// SPDX-License-Identifier: Apache-2.0
// Node http client under test: the plan on stdin, the results on stdout.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');

const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function run(r) {
  return new Promise((resolve) => {
    const failed = (e) => resolve({ status: 0, size: 0, sha256: '', error: String(e) });
    const headers = { ...(r.headers || {}) };
    if (r.body && !r.chunked) headers['Content-Length'] = Buffer.byteLength(r.body);
    const req = http.request(r.url, { method: r.method, headers, agent }, (res) => {
      const sum = crypto.createHash('sha256');
      let size = 0;
      res.on('data', (d) => { sum.update(d); size += d.length; });
      res.on('end', () => resolve({ status: res.statusCode, size, sha256: sum.digest('hex') }));
      res.on('error', failed);
    });
    req.on('error', failed);
    if (r.body) req.write(r.body);
    req.end();
  });
}

async function main() {
  const results = [];
  for (const r of JSON.parse(fs.readFileSync(0, 'utf8'))) results.push(await run(r));
  process.stdout.write(JSON.stringify(results));
  agent.destroy();
}

main();
