-- wrk's side of the load: unique event ids in every request, and a ledger of the requests that were answered with 200.
-- wrk … -s load.lua URL -- RUN EVENTS_PER_REQUEST TAILS LEDGER HEAD
-- TAILS: a file with the rest of an event's JSON on each line. HEAD: a file with the request's headers.

local number, run, size, tails, ledger, head, accepted = 0, nil, nil, {}, nil, nil, nil
local threads = {}
local concat, format = table.concat, string.format

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  run, size = args[1], tonumber(args[2])
  for line in io.lines(args[3]) do
    table.insert(tails, line)
  end
  ledger = io.open(args[4], "w")
  local file = io.open(args[5], "r")
  head = file:read("*a")
  file:close()
  accepted = format('"accepted":%d,', size)
  good, bad = 0, 0
end

local function body(prefix)
  local lines = {}
  for index = 1, size do
    local tail = tails[(number * size + index) % #tails + 1]
    lines[index] = format('{"event_id":"%s-%04x"', prefix, index - 1) .. tail
  end
  return concat(lines, "\n")
end

function request()
  local content = body(format("%s-%08x", run, number))
  number = number + 1
  return concat({ head, "Content-Length: ", #content, "\r\n\r\n", content })
end

-- Each answer names its events: the first one's id tells which request it belongs to.
function response(status, headers, content)
  if status == 200 and content:find(accepted, 1, true) then
    good = good + 1
    ledger:write(content:match('"event_id":"[^-"]+%-(%x+)%-%x+"'), "\n")
  else
    bad = bad + 1
  end
end

function done(summary, latency, requests)
  local bad_answers, good_answers = 0, 0
  for _, thread in ipairs(threads) do
    bad_answers, good_answers = bad_answers + thread:get("bad"), good_answers + thread:get("good")
  end
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  io.write(format(
    '\n{"good":%d,"bad":%d,"broken":%d,"seconds":%.6f,"p50_ms":%.3f,"p99_ms":%.3f}\n',
    good_answers, bad_answers, broken, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3
  ))
end
