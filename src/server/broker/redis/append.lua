-- Numbers, times and links one entry and adds it to the log with one XADD: a script that wrote twice would stand in
-- the append-only file between MULTI and EXEC, which a power cut can tear.
-- KEYS: the log, the erased headers, the mark of a move.
-- ARGV: create or append; a number and the link that the caller knows there; how the header text of the caller's call
-- before this one ends, or nothing; the caller's clock in milliseconds; header text; body; a number and its link that
-- the log must have whatever stands before the entry, or 0.
-- Calls are pipelined. With such an end an entry is stored only behind the entry of the call before it, so that entries
-- of one caller keep their order when a call in the middle fails; the link is not looked at then. Texts are opaque here.
local log, erased = KEYS[1], KEYS[2]
local says = redis.call('HGET', KEYS[3], 'says')
if says then
  return redis.error_reply('BECKMOVED ' .. says)
end
local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
local g, at, link = 0, 0, '0000000000000000'
if last then
  if ARGV[1] == 'create' then
    return redis.error_reply('BECKEXISTS there is a log')
  end
  g, at, link = tonumber(string.match(last[1], '^(%d+)%-0$')), tonumber(last[2][2]), last[2][4]
  if last[2][1] ~= 'at' or last[2][3] ~= 'link' or not g or not at then
    return redis.error_reply('BECKFOREIGN the stream is not a log')
  end
elseif ARGV[1] ~= 'create' then
  return redis.error_reply('BECKNOLOG there is no log')
end
local known, expected, before = tonumber(ARGV[2]), ARGV[3], ARGV[4]
local function is_before(entry)
  return string.sub(entry[2][6], -#before) == before
end
if before ~= '' then
  -- The call before this one has compared the known entry. Entries of other servers may stand between.
  if not (last and is_before(last)) then
    local found = false
    local newer = redis.call('XREVRANGE', log, '+', '(' .. ARGV[2] .. '-0', 'COUNT', 512)
    for _, entry in ipairs(newer) do
      found = found or is_before(entry)
    end
    if not found then
      return redis.error_reply('BECKORDER the entry before it is not in the log')
    end
  end
elseif known > 0 then
  local found
  if known == g then
    found = link
  elseif known < g then
    local entry = redis.call('XRANGE', log, ARGV[2], ARGV[2])[1]
    if entry then
      found = entry[2][4]
    else
      found = string.match(redis.call('HGET', erased, ARGV[2]) or '', '^%d+ (%x+) ')
    end
  end
  if found ~= expected then
    return redis.error_reply('BECKREWRITTEN the log was rewritten')
  end
end
-- The entry since which the log has the format in whose form this one is written. Its body is never erased.
if ARGV[8] ~= '0' then
  local entry = redis.call('XRANGE', log, ARGV[8], ARGV[8])[1]
  if not entry or entry[2][4] ~= ARGV[9] then
    return redis.error_reply('BECKREWRITTEN the log was rewritten')
  end
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
-- Either clock may be the wrong one, and a time that is in the log can never be corrected.
if math.abs(now - tonumber(ARGV[5])) > 60000 then
  return redis.error_reply('BECKCLOCK the clocks differ')
end
at = math.max(at, now)
local at_text, g_text = string.format('%.0f', at), string.format('%.0f', g + 1)
link = string.sub(redis.sha1hex(link .. '\n' .. g_text .. '\n' .. at_text .. '\n' .. ARGV[6]), 1, 16)
redis.call('XADD', log, g_text .. '-0', 'at', at_text, 'link', link, 'rest', ARGV[6], 'body', ARGV[7])
return { g_text, link }
