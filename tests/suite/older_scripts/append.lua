-- Numbers, times and links entries and adds them to the log: all of them, or none.
-- KEYS: the log, the erased headers, the mark of a move.
-- ARGV: create or append; a number and the link that the caller knows there; then header text and body of each.
-- Every check stands before the first write, since scripts do not roll back. Texts are opaque here.
local log, erased = KEYS[1], KEYS[2]
local says = redis.call('HGET', KEYS[3], 'says')
if says then
  return redis.error_reply('BECKMOVED ' .. says)
end
local function link_at(entry)
  return entry[2][4]
end
local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
local g, at, link = 0, 0, '0000000000000000'
if last then
  if ARGV[1] == 'create' then
    return redis.error_reply('BECKEXISTS there is a log')
  end
  g, at, link = tonumber(string.match(last[1], '^(%d+)%-0$')), tonumber(last[2][2]), link_at(last)
  if last[2][1] ~= 'at' or last[2][3] ~= 'link' or not g or not at then
    return redis.error_reply('BECKFOREIGN the stream is not a log')
  end
elseif ARGV[1] ~= 'create' then
  return redis.error_reply('BECKNOLOG there is no log')
end
local known, expected = tonumber(ARGV[2]), ARGV[3]
if known > 0 then
  local found
  if known == g then
    found = link
  elseif known < g then
    local entry = redis.call('XRANGE', log, ARGV[2], ARGV[2])[1]
    if entry then
      found = link_at(entry)
    else
      found = string.match(redis.call('HGET', erased, ARGV[2]) or '', '^%d+ (%x+) ')
    end
  end
  if found ~= expected then
    return redis.error_reply('BECKREWRITTEN the log was rewritten')
  end
end
local time = redis.call('TIME')
at = math.max(at, tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
local at_text = string.format('%.0f', at)
local first = g + 1
for i = 4, #ARGV, 2 do
  g = g + 1
  local g_text = string.format('%.0f', g)
  link = string.sub(redis.sha1hex(link .. '\n' .. g_text .. '\n' .. at_text .. '\n' .. ARGV[i]), 1, 16)
  redis.call('XADD', log, g_text .. '-0', 'at', at_text, 'link', link, 'rest', ARGV[i], 'body', ARGV[i + 1])
end
return { string.format('%.0f', first), string.format('%.0f', g), link }
