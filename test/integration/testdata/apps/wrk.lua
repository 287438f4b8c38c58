-- SPDX-License-Identifier: Apache-2.0
-- wrk script: every request carries a traceparent with a span id of its own.
-- Arguments after "--": the trace id, the prefix (8 hexadecimal digits) of its span ids,
-- the milliseconds that a connection waits on average before each request.
local trace, prefix, pause, n

function init(args)
  trace, prefix, pause, n = args[1], args[2], tonumber(args[3]), 0
  if pause > 0 then
    -- wrk waits whole milliseconds: their remainder is spread by chance.
    function delay()
      return math.floor(pause + math.random())
    end
  end
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
