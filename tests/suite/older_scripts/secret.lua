-- Writes a secret if its version is as said. KEYS: the secret. ARGV: value, version, milliseconds since 1970 or 0.
-- Gives value and version as they stand after it.
local stands = redis.call('HMGET', KEYS[1], 'value', 'version')
local version = stands[2] or '0'
if version ~= ARGV[2] then
  return { stands[1] or '', version }
end
-- Versions rise over deletions too, or an old version could match a new secret.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
version = string.format('%.0f', math.max(now, tonumber(version) + 1))
redis.call('HSET', KEYS[1], 'value', ARGV[1], 'version', version)
if ARGV[3] == '0' then
  redis.call('PERSIST', KEYS[1])
else
  redis.call('PEXPIREAT', KEYS[1], ARGV[3])
end
return { ARGV[1], version }
