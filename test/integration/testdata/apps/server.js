// SPDX-License-Identifier: Apache-2.0
// Node http server under test: node server.js PORT. Listens on all addresses, IPv6 included.
'use strict';
const http = require('http');

const pattern = (n) => Buffer.alloc(n, 'abcdefghijklmnopqrstuvwxyz');

function text(res, status, body) {
  res.writeHead(status, { 'Content-Type': 'text/plain', 'Content-Length': body.length });
  res.end(body);
}

function stream(res) {
  let left = 4;
  const next = () => {
    res.write(pattern(100));
    if (--left === 0) res.end();
    else setTimeout(next, 250);
  };
  next();
}

function echo(req, res) {
  const parts = [];
  req.on('data', (d) => parts.push(d));
  req.on('end', () => {
    const body = Buffer.concat(parts);
    res.writeHead(200, { 'Content-Length': body.length });
    res.end(body);
  });
}

function chunked(res, n) {
  for (let at = 0; at < n; at += 1000) res.write(pattern(n).subarray(at, Math.min(n, at + 1000)));
  res.end();
}

function trailers(res) {
  res.writeHead(200, { Trailer: 'X-Sum' });
  res.write(pattern(300));
  res.write(pattern(300));
  res.addTrailers({ 'X-Sum': 'abc' });
  res.end();
}

const server = http.createServer((req, res) => {
  const path = req.url.split('?')[0];
  const [, route, arg] = path.split('/');
  switch (route) {
    case 'ok': return text(res, 200, 'ok\n');
    case 'fail': return text(res, 500, 'bad\n');
    case 'empty': res.writeHead(204); return res.end();
    case 'notmodified': res.writeHead(304); return res.end();
    case 'size': res.writeHead(200, { 'Content-Length': Number(arg) }); return res.end(pattern(Number(arg)));
    case 'chunked': return chunked(res, Number(arg));
    case 'trailers': return trailers(res);
    case 'stream': return stream(res);
    case 'echo': return echo(req, res);
    default: return text(res, 404, 'no\n');
  }
});
server.keepAliveTimeout = 0; // tests wait for agents between two requests
server.listen(Number(process.argv[2]), '::');
