-- Keeps the headers of entries that are to be erased, with one HSET. KEYS: the log, the erased headers. ARGV: number and
-- link of each. The bodies go in a second call (remove.lua). Between the two an entry stands in both, and counts as not
-- erased. An entry with another link is none of these: after a failover another one may have the number. The newest
-- entry stays, or the next one would have nothing to continue. Gives 0 if it was among them, else 1; then number and
-- link, in turn, of those whose bodies are still there; then the numbers at which another entry stands.
local log, erased = KEYS[1], KEYS[2]
local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
local newest = last and string.match(last[1], '^(%d+)%-0$')
local all, standing, other, headers = 1, {}, {}, {}
for i = 1, #ARGV, 2 do
  local g, link = ARGV[i], ARGV[i + 1]
  local entry = redis.call('XRANGE', log, g, g)[1]
  if entry then
    local field = entry[2]
    if field[4] ~= link then
      other[#other + 1] = g
    elseif g == newest then
      all = 0
    else
      headers[#headers + 1] = g
      headers[#headers + 1] = field[2] .. ' ' .. link .. ' ' .. field[6]
      standing[#standing + 1] = g
      standing[#standing + 1] = link
    end
  end
end
if #headers > 0 then
  redis.call('HSET', erased, unpack(headers))
end
return { all, standing, other }
