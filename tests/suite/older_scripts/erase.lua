-- Takes entries out of the log and keeps their headers. KEYS: the log, the erased headers. ARGV: numbers.
-- The newest entry stays, or the next one would have nothing to continue: then the answer is 0.
local log, erased = KEYS[1], KEYS[2]
local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
local newest = last and string.match(last[1], '^(%d+)%-0$')
local all = 1
for _, g in ipairs(ARGV) do
  if g == newest then
    all = 0
  else
    local entry = redis.call('XRANGE', log, g, g)[1]
    if entry then
      local field = entry[2]
      redis.call('HSET', erased, g, field[2] .. ' ' .. field[4] .. ' ' .. field[6])
      redis.call('XDEL', log, g .. '-0')
    end
  end
end
return all
