-- wrk's part of the HTTP benchmark: 1 KiB tools/call requests with ids that no other call of the run has, in the given
-- sessions in turn. wrk -s http_calls.lua URL -- SESSION...
-- Ends with a line for http_bench: result REQUESTS MICROSECONDS FAILURES P50_US P99_US

local heads, count, last_id = {}, 0, 1000000000
local tail = '}'

function init(sessions)
  local body = ',"method":"tools/call","params":{"name":"echo","arguments":{"message":"'
  local start = '{"jsonrpc":"2.0","id":'
  local fixed = #start + 10 + #body + #'"}}}'
  tail = body .. string.rep("q", 1024 - fixed) .. '"}}}'
  for i = 1, #sessions do
    heads[i] = 'POST /mcp HTTP/1.1\r\nHost: ' .. wrk.headers["Host"] .. '\r\nUser-Agent: mcptrace-bench\r\n' ..
      'MCP-Protocol-Version: 2025-11-25\r\nMcp-Session-Id: ' .. sessions[i] .. '\r\n' ..
      'Accept: application/json, text/event-stream\r\nContent-Type: application/json\r\nContent-Length: 1024\r\n\r\n' ..
      start
  end
end

function request()
  count = count + 1
  return heads[count % #heads + 1] .. (last_id + count) .. tail
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format("result %d %d %d %d %d\n", summary.requests, summary.duration, failed,
    latency:percentile(50), latency:percentile(99)))
end
