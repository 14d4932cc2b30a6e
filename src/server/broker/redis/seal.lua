-- Closes a log that was moved away, if it ends where it was read to. KEYS: the log, the mark.
-- ARGV: the last entry's id and link, where it was moved to, what servers are to say.
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if not last or last[1] ~= ARGV[1] or last[2][4] ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[2], 'sealed', ARGV[3], 'says', ARGV[4])
return 1
