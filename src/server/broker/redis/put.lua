-- Puts entries that are moved here in their places. KEYS: the unfinished log, its erased headers.
-- ARGV: number, time, link, header text of each, then 1 and its body, or 0 and nothing for an erased one.
local log, erased = KEYS[1], KEYS[2]
for i = 1, #ARGV, 6 do
  local g, at, link, rest = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  if ARGV[i + 4] == '1' then
    redis.call('XADD', log, g .. '-0', 'at', at, 'link', link, 'rest', rest, 'body', ARGV[i + 5])
  else
    redis.call('HSET', erased, g, at .. ' ' .. link .. ' ' .. rest)
    redis.call('XDEL', log, g .. '-0')
  end
end
return 'done'
