-- Takes entries out of the log whose headers erase.lua has kept, with one XDEL. KEYS: the log, the erased headers.
-- ARGV: number and link of each. An entry whose header is not kept as it is now, or that is the newest by now, stays:
-- then 0, else 1. One with another link is none of these; their numbers follow.
local log, erased = KEYS[1], KEYS[2]
local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
local newest = last and string.match(last[1], '^(%d+)%-0$')
local all, other, ids = 1, {}, {}
for i = 1, #ARGV, 2 do
  local g, link = ARGV[i], ARGV[i + 1]
  local entry = redis.call('XRANGE', log, g, g)[1]
  if entry then
    local field = entry[2]
    if field[4] ~= link then
      other[#other + 1] = g
    elseif g ~= newest and redis.call('HGET', erased, g) == field[2] .. ' ' .. link .. ' ' .. field[6] then
      ids[#ids + 1] = g .. '-0'
    else
      all = 0
    end
  end
end
if #ids > 0 then
  redis.call('XDEL', log, unpack(ids))
end
return { all, other }
