-- wrk's part of the HTTP benchmark: 1 KiB tools/call requests with ids that no other call of the run has.
-- wrk -s http_calls.lua URL -- legacy|modern ROUTES NAME...
-- Of the sessions that are named, or (modern) the conversations, in turn; to /r0/mcp … in turn if there are routes, else to /mcp.
-- Ends with a line for http_bench: result REQUESTS MICROSECONDS FAILURES P50_US P99_US

local starts, count, last_id = {}, 0, 1000000000

-- All of a request before its id, and all behind it.
local function request_of(modern, target, name)
  local version, fields, meta = '2025-11-25', 'Mcp-Session-Id: ' .. name .. '\r\n', ''
  if modern then
    version, fields = '2026-07-28', 'Mcp-Method: tools/call\r\nMcp-Name: echo\r\n'
    meta = '"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":' ..
      '{"name":"bench","version":"1.0.0"},"io.modelcontextprotocol/clientCapabilities":{},"baggage":"session.id=' ..
      name .. '"},'
  end
  local start = '{"jsonrpc":"2.0","id":'
  local rest = ',"method":"tools/call","params":{' .. meta .. '"name":"echo","arguments":{"message":"'
  rest = rest .. string.rep('q', 1024 - #start - #(last_id .. '') - #rest - #'"}}}') .. '"}}}'
  local head = 'POST ' .. target .. ' HTTP/1.1\r\nHost: ' .. wrk.headers['Host'] .. '\r\nUser-Agent: mcptrace-bench\r\n' ..
    'MCP-Protocol-Version: ' .. version .. '\r\n' .. fields ..
    'Accept: application/json, text/event-stream\r\nContent-Type: application/json\r\nContent-Length: 1024\r\n\r\n'
  return {head .. start, rest}
end

function init(args)
  local modern, routes = args[1] == 'modern', tonumber(args[2])
  for i = 3, #args do
    local target = routes > 0 and '/r' .. i % routes .. '/mcp' or '/mcp'
    starts[i - 2] = request_of(modern, target, args[i])
  end
end

function request()
  count = count + 1
  local parts = starts[count % #starts + 1]
  return parts[1] .. (last_id + count) .. parts[2]
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format("result %d %d %d %d %d\n", summary.requests, summary.duration, failed,
    latency:percentile(50), latency:percentile(99)))
end
