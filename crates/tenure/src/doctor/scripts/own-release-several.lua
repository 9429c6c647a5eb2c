for _, value in ipairs(redis.call("mget", unpack(KEYS))) do
  if value ~= ARGV[1] then
    return false
  end
end
redis.call("del", unpack(KEYS))
return redis.status_reply("OK")
