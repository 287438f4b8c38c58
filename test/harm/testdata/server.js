// SPDX-License-Identifier: Apache-2.0
// Usage: node server.js PORT
const http = require('http');
const big = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'.repeat(20000);

const server = http.createServer((request, response) => {
  const body = request.url === '/missing' ? 'no\n' : request.url === '/big' ? big : 'ok\n';
  let received = 0;
  request.on('data', (piece) => { received += piece.length; });
  request.on('end', () => {
    response.writeHead(request.url === '/missing' ? 404 : 200, { 'Content-Length': body.length, 'X-Received': received });
    response.end(request.method === 'HEAD' ? undefined : body);
  });
});
server.keepAliveTimeout = 600000;
server.headersTimeout = server.requestTimeout = 0;
server.listen(Number(process.argv[2]), '127.0.0.1');
