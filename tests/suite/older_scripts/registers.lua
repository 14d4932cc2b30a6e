-- Raises pointers by maximum and gives all of them. KEYS: the account's registers. ARGV: name and pointer of each.
-- Pointers are written with leading zeros, so that texts compare as the numbers do.
for i = 1, #ARGV, 2 do
  local stands = redis.call('HGET', KEYS[1], ARGV[i])
  if not stands or stands < ARGV[i + 1] then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  end
end
return redis.call('HGETALL', KEYS[1])
