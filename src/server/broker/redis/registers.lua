-- Raises pointers by maximum, with one HSET, and gives all of them. KEYS: the account's registers. ARGV: name and
-- pointer of each. Pointers are written with leading zeros, so that texts compare as the numbers do.
local raised, at = {}, {}
for i = 1, #ARGV, 2 do
  local name, pointer = ARGV[i], ARGV[i + 1]
  local stands = (at[name] and raised[at[name]]) or redis.call('HGET', KEYS[1], name)
  if not stands or stands < pointer then
    if not at[name] then
      raised[#raised + 1] = name
      at[name] = #raised + 1
    end
    raised[at[name]] = pointer
  end
end
if #raised > 0 then
  redis.call('HSET', KEYS[1], unpack(raised))
end
return redis.call('HGETALL', KEYS[1])
