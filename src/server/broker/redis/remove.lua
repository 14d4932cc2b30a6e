-- Takes entries out of the log whose headers erase.lua has kept, with one XDEL. KEYS: the log, the erased headers.
-- ARGV: numbers. An entry whose header is not kept as it is now, or that is the newest by now, stays: then 0.
local log, erased = KEYS[1], KEYS[2]
local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
local newest = last and string.match(last[1], '^(%d+)%-0$')
local all, ids = 1, {}
for _, g in ipairs(ARGV) do
  local entry = redis.call('XRANGE', log, g, g)[1]
  if entry then
    local field = entry[2]
    local header = field[2] .. ' ' .. field[4] .. ' ' .. field[6]
    if g ~= newest and redis.call('HGET', erased, g) == header then
      ids[#ids + 1] = g .. '-0'
    else
      all = 0
    end
  end
end
if #ids > 0 then
  redis.call('XDEL', log, unpack(ids))
end
return all
