-- SPDX-License-Identifier: Apache-2.0
-- wrk script: every request carries a traceparent with a span id of its own.
-- Arguments after "--": the trace id, the prefix (8 hexadecimal digits) of its span ids.
local trace, prefix, n

function init(args)
  trace, prefix, n = args[1], args[2], 0
end

function request()
  n = n + 1
  wrk.headers["traceparent"] = string.format("00-%s-%s%08x-01", trace, prefix, n)
  return wrk.format("GET", nil)
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("RESULT requests=%d bytes=%d errors=%d\n", summary.requests, summary.bytes,
    e.connect + e.read + e.write + e.status + e.timeout))
end
