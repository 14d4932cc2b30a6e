-- Writes a secret with one HSET if its version is as said. KEYS: the secret.
-- ARGV: value, version, milliseconds since 1970 or 0.
-- Gives value and version as they stand after it, and 1 if this call wrote them.
-- `expires` is "<version> <milliseconds>" or empty. It holds for that version alone: servers before it do not know
-- the field and leave it there when they write a value, a version and the key's own expiry.
local stands = redis.call('HMGET', KEYS[1], 'value', 'version', 'expires')
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local value, version = stands[1] or '', stands[2] or '0'
local of, ends = string.match(stands[3] or '', '^(%d+) (%d+)$')
local highest = tonumber(version)
if of == version and tonumber(ends) <= now then
  value, version = '', '0'
end
if version ~= ARGV[2] then
  return { value, version, '0' }
end
-- Versions rise over deletions too, or an old version could match a new secret.
version = string.format('%.0f', math.max(now, highest + 1))
local expires = ''
if ARGV[3] ~= '0' then
  expires = version .. ' ' .. ARGV[3]
end
redis.call('HSET', KEYS[1], 'value', ARGV[1], 'version', version, 'expires', expires)
return { ARGV[1], version, '1' }
