if redis.call("msetnx", KEYS[1], ARGV[1], KEYS[2], ARGV[1]) == 0 then
  return false
end
for _, key in ipairs(KEYS) do
  redis.call("pexpire", key, ARGV[2])
end
return redis.status_reply("OK")
