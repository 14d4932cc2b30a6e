-- Sets when Redis itself removes a secret, with one write, if its version is as said. KEYS: the secret.
-- ARGV: version (0: it is not there, or has ended), milliseconds since 1970 or 0 for never; later or exact.
-- `later` is called before a value is written, and never shortens: a new value must not go at the old one's end.
-- `exact` is called after it. A call that is lost leaves a key that ends by its field `expires`.
local stands = redis.call('HMGET', KEYS[1], 'version', 'expires')
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local version = stands[1] or '0'
local of, ends = string.match(stands[2] or '', '^(%d+) (%d+)$')
if ARGV[3] == 'later' and of == version and tonumber(ends) <= now then
  version = '0'
end
if not stands[1] or version ~= ARGV[1] then
  return 0
end
if ARGV[2] == '0' then
  return redis.call('PERSIST', KEYS[1])
elseif ARGV[3] == 'later' then
  return redis.call('PEXPIREAT', KEYS[1], ARGV[2], 'GT')
else
  return redis.call('PEXPIREAT', KEYS[1], ARGV[2])
end
