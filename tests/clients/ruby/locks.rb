# The lock of Redis's own page through redis-rb as Debian has it; `../README.md` says what the lines mean.
#
# usage: locks.rb PORT LIBRARY, until standard input ends

require "json"
require "redis"
require "securerandom"

HOLDS, RENEWS_EVERY, ASKS_EVERY, SECONDS, SAFE, TRIES = 0.15, 0.1, 0.06, 20, 1, 5

IF_MINE = "if redis.call('get',KEYS[1]) == ARGV[1] then return redis.call(%s) else return 0 end"
RENEW = IF_MINE % "'pexpire',KEYS[1],ARGV[2]"
RELEASE = IF_MINE % "'del',KEYS[1]"

def now
  Process.clock_gettime(Process::CLOCK_MONOTONIC)
end

# `take` gives what it holds or nil, `renew` and `release` say whether it was this contender's.
class RedisRb
  def self.version
    Redis::VERSION
  end

  def initialize(port)
    @client = Redis.new(host: "127.0.0.1", port: port)
  end

  def take(key)
    mine = SecureRandom.hex
    [key, mine] if @client.set(key, mine, nx: true, px: SECONDS * 1000)
  end

  def renew((key, mine))
    @client.eval(RENEW, keys: [key], argv: [mine, SECONDS * 1000]) == 1
  end

  def release((key, mine))
    @client.eval(RELEASE, keys: [key], argv: [mine]) == 1
  end
end

class Contender
  def initialize(name, kind, port)
    @name, @kind, @port = name, kind, port
    @is_keeping = @is_over = false
    Thread.new do
      $stdin.each_line { |line| @is_keeping = line.strip == "keep" }
      @is_over = true
    end
  end

  def run
    say(version: @kind.version, did: did)
    contend
  rescue StandardError => error
    say(wrong: "#{error.class}: #{error.message}")
  end

  private

  def say(what)
    $stdout.puts({ library: @name, **what }.to_json)
    $stdout.flush
  end

  # What cannot be done because of the world's ways is begun again.
  def did
    TRIES.times do |number|
      return basics("basics:#{@name}:#{@port}:#{number}")
    rescue Redis::BaseError => error
      error("basics", error)
    end
    raise "nothing went well #{TRIES} times"
  end

  # Everything once, two clients, one key of this endpoint.
  def basics(key)
    one, two = @kind.new(@port), @kind.new(@port)
    held = one.take(key) or raise "a free lock was refused"
    raise "a lock was given twice" if two.take(key)
    raise "a renewal was refused" unless one.renew(held)
    raise "a release was refused" unless one.release(held)
    again = two.take(key) or raise "a lock that was released was refused"
    raise "a lock of another was released" if one.release(held)
    raise "a release was refused" unless two.release(again)
    ["acquire", "refuse", "renew", "release", "refuse another's release"]
  end

  def contend
    library, key = @kind.new(@port), "contended:#{@name}"
    until @is_over
      sent = now
      begin
        held = library.take(key)
      rescue Redis::BaseError => error
        error("acquire", error)
        next
      end
      unless held
        sleep(rand(0.5..1.5) * ASKS_EVERY)
        next
      end
      begun = now
      say(took: begun)
      ends = hold(library, held, begun, sent + SECONDS)
      left = now
      say(held: [begun, [left, ends].min])
      begin
        say(wrong: "it was no longer the holder when it left") if !library.release(held) && left < ends
      rescue Redis::BaseError => error
        error("release", error)
      end
    end
  end

  # Until when it was promised to be the holder.
  def hold(library, held, begun, ends)
    while now < ends && !@is_over
      sleep(RENEWS_EVERY)
      sent = now
      begin
        kept = library.renew(held)
      rescue Redis::BaseError => error
        error("renew", error)
        break if now > ends - SAFE
        next
      end
      unless kept
        say(wrong: "it was no longer the holder before its time was over") if sent < ends
        return sent
      end
      say(kept: sent)
      ends = sent + SECONDS
      break if !@is_keeping && now > begun + HOLDS
    end
    ends
  end

  # An outcome that is not known, or certainly not done: both are the world's ways.
  def error(at, error)
    say(error: "#{at}: #{error.class}: #{error.message}"[0, 300])
    sleep(rand(0.5..1.5) * ASKS_EVERY)
  end
end

port, name = ARGV
Contender.new(name, { "redis-rb" => RedisRb }.fetch(name), Integer(port)).run
