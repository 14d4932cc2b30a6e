-- Keeps the headers of entries that are to be erased, with one HSET. KEYS: the log, the erased headers. ARGV: numbers.
-- The bodies go in a second call (remove.lua). Between the two an entry stands in both, and counts as not erased.
-- The newest entry stays, or the next one would have nothing to continue. Gives 0 if it was among them, else 1; then
-- the numbers whose bodies are still there.
local log, erased = KEYS[1], KEYS[2]
local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
local newest = last and string.match(last[1], '^(%d+)%-0$')
local answer, headers = { '1' }, {}
for _, g in ipairs(ARGV) do
  if g == newest then
    answer[1] = '0'
  else
    local entry = redis.call('XRANGE', log, g, g)[1]
    if entry then
      local field = entry[2]
      headers[#headers + 1] = g
      headers[#headers + 1] = field[2] .. ' ' .. field[4] .. ' ' .. field[6]
      answer[#answer + 1] = g
    end
  end
end
if #headers > 0 then
  redis.call('HSET', erased, unpack(headers))
end
return answer
