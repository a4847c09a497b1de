-- What wrk sends, and its result in a form that programs read: see load.py.
--
--   wrk -s wrk.lua URL -- BODY_BYTES     0: GET; else POST with so many bytes

function init(args)
  local bytes = tonumber(args[1])
  if bytes > 0 then
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/octet-stream"
    wrk.body = string.rep("x", bytes)
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\nresult {"requests": %d, "duration_us": %d, "p50_us": %d, "p99_us": %d, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
