for _, value in ipairs(redis.call("mget", unpack(KEYS))) do
  if value ~= ARGV[1] then
    return false
  end
end
for _, key in ipairs(KEYS) do
  redis.call("pexpire", key, ARGV[2])
end
return redis.status_reply("OK")
