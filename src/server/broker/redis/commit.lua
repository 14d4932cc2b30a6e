-- Makes a log that was moved here the log that servers serve. KEYS: the log, the erased headers, the unfinished log,
-- its erased headers, the mark.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return redis.error_reply('BECKEXISTS there is a log')
end
if redis.call('EXISTS', KEYS[3]) == 0 then
  return redis.error_reply('BECKNOLOG there is no log')
end
redis.call('DEL', KEYS[2], KEYS[5])
if redis.call('EXISTS', KEYS[4]) == 1 then
  redis.call('RENAME', KEYS[4], KEYS[2])
end
redis.call('RENAME', KEYS[3], KEYS[1])
return 'done'
