<?php
// The locks of PHP's Redis libraries as Debian has them; `../README.md` says what the lines mean.
//
// usage: locks.php PORT LIBRARY, until standard input ends

const HOLDS = 0.15, RENEWS_EVERY = 0.1, ASKS_EVERY = 0.06, SECONDS = 20, SAFE = 1, TRIES = 5;

const IF_MINE = "if redis.call('get',KEYS[1]) == ARGV[1] then return redis.call(%s) else return 0 end";
define('RENEW', sprintf(IF_MINE, "'pexpire',KEYS[1],ARGV[2]"));
define('RELEASE', sprintf(IF_MINE, "'del',KEYS[1]"));

// CLOCK_MONOTONIC, in seconds.
function now(): float
{
    return hrtime(true) / 1e9;
}

function pause(float $seconds): void
{
    usleep((int) ($seconds * 1e6));
}

// `take` gives what it holds or null, `renew` and `release` say whether it was this contender's.
interface Library
{
    public static function version(): string;
    public function __construct(int $port);
    public function take(string $key);
    public function renew($held): bool;
    public function release($held): bool;
}

class PhpRedis implements Library
{
    private ?Redis $client = null;

    public static function version(): string
    {
        return phpversion('redis');
    }

    public function __construct(private int $port)
    {
    }

    public function take(string $key)
    {
        $mine = bin2hex(random_bytes(16));
        $options = ['nx', 'px' => SECONDS * 1000];
        return $this->ask(fn ($client) => $client->set($key, $mine, $options)) === true ? [$key, $mine] : null;
    }

    public function renew($held): bool
    {
        return $this->ask(fn ($client) => $client->eval(RENEW, [...$held, SECONDS * 1000], 1)) === 1;
    }

    public function release($held): bool
    {
        return $this->ask(fn ($client) => $client->eval(RELEASE, $held, 1)) === 1;
    }

    // An error of the server is no exception here, and a connection that broke is not made again.
    private function ask(callable $call)
    {
        try {
            if (!$this->client) {
                $client = new Redis();
                $client->connect('127.0.0.1', $this->port);
                $this->client = $client;
            }
            $this->client->clearLastError();
            $answer = $call($this->client);
        } catch (RedisException $error) {
            $this->client = null;
            throw $error;
        }
        if ($error = $this->client->getLastError()) {
            throw new RuntimeException($error);
        }
        return $answer;
    }
}

class Predis implements Library
{
    private Predis\Client $client;

    public static function version(): string
    {
        return Predis\Client::VERSION;
    }

    public function __construct(int $port)
    {
        $this->client = new Predis\Client(['host' => '127.0.0.1', 'port' => $port]);
    }

    public function take(string $key)
    {
        $mine = bin2hex(random_bytes(16));
        return $this->client->set($key, $mine, 'PX', SECONDS * 1000, 'NX') === null ? null : [$key, $mine];
    }

    public function renew($held): bool
    {
        return $this->client->eval(RENEW, 1, ...[...$held, SECONDS * 1000]) === 1;
    }

    public function release($held): bool
    {
        return $this->client->eval(RELEASE, 1, ...$held) === 1;
    }
}

class SymfonyLock implements Library
{
    private Symfony\Component\Lock\LockFactory $factory;

    public static function version(): string
    {
        return trim(shell_exec("dpkg-query -W -f '\${Version}' php-symfony-lock") ?: 'unknown');
    }

    public function __construct(int $port)
    {
        $client = new Predis\Client(['host' => '127.0.0.1', 'port' => $port]);
        $store = new Symfony\Component\Lock\Store\RedisStore($client, SECONDS);
        $this->factory = new Symfony\Component\Lock\LockFactory($store);
    }

    public function take(string $key)
    {
        $lock = $this->factory->createLock($key, SECONDS, false);
        return $lock->acquire() ? $lock : null;
    }

    public function renew($lock): bool
    {
        try {
            $lock->refresh();
            return true;
        } catch (Symfony\Component\Lock\Exception\LockConflictedException) {
            return false;
        }
    }

    // It does not say whose lock it was; that is looked at.
    public function release($lock): bool
    {
        $isMine = $lock->isAcquired();
        $lock->release();
        return $isMine;
    }
}

class Contender
{
    private bool $isKeeping = false;
    private bool $isOver = false;

    public function __construct(private string $name, private string $kind, private int $port)
    {
        stream_set_blocking(STDIN, false);
    }

    private function say(array $what): void
    {
        echo json_encode(['library' => $this->name] + $what), "\n";
    }

    // What it is told meanwhile.
    private function listen(): void
    {
        while (($line = fgets(STDIN)) !== false) {
            $this->isKeeping = trim($line) === 'keep';
        }
        $this->isOver = feof(STDIN);
    }

    public function run(): void
    {
        try {
            $this->say(['version' => $this->kind::version(), 'did' => $this->did()]);
            $this->contend();
        } catch (Throwable $error) {
            $this->say(['wrong' => get_class($error) . ': ' . $error->getMessage()]);
        }
    }

    // What cannot be done because of the world's ways is begun again.
    private function did(): array
    {
        for ($number = 0; $number < TRIES; $number++) {
            try {
                return $this->basics("basics:{$this->name}:{$this->port}:$number");
            } catch (LogicException $error) {
                throw $error;
            } catch (Exception $error) {
                $this->error('basics', $error);
            }
        }
        throw new LogicException('nothing went well ' . TRIES . ' times');
    }

    // Everything once, two clients, one key of this endpoint.
    private function basics(string $key): array
    {
        $must = fn (bool $holds, string $what) => $holds ?: throw new LogicException($what);
        [$one, $two] = [new $this->kind($this->port), new $this->kind($this->port)];
        $held = $one->take($key);
        $must($held !== null, 'a free lock was refused');
        $must($two->take($key) === null, 'a lock was given twice');
        $must($one->renew($held), 'a renewal was refused');
        $must($one->release($held), 'a release was refused');
        $again = $two->take($key);
        $must($again !== null, 'a lock that was released was refused');
        $must(!$one->release($held), 'a lock of another was released');
        $must($two->release($again), 'a release was refused');
        return ['acquire', 'refuse', 'renew', 'release', "refuse another's release"];
    }

    private function contend(): void
    {
        [$library, $key] = [null, "contended:{$this->name}"];
        while (!$this->isOver) {
            $this->listen();
            $sent = now();
            try {
                $library ??= new $this->kind($this->port);
                $held = $library->take($key);
            } catch (Exception $error) {
                $this->error('acquire', $error);
                continue;
            }
            if ($held === null) {
                pause(ASKS_EVERY * mt_rand(50, 150) / 100);
                continue;
            }
            $begun = now();
            $this->say(['took' => $begun]);
            $until = $this->hold($library, $held, $begun, $sent + SECONDS);
            $left = now();
            $this->say(['held' => [$begun, min($left, $until)]]);
            try {
                if (!$library->release($held) && $left < $until) {
                    $this->say(['wrong' => 'it was no longer the holder when it left']);
                }
            } catch (Exception $error) {
                $this->error('release', $error);
            }
        }
    }

    // Until when it was promised to be the holder.
    private function hold(Library $library, $held, float $begun, float $until): float
    {
        while (now() < $until && !$this->isOver) {
            pause(RENEWS_EVERY);
            $this->listen();
            $sent = now();
            try {
                $kept = $library->renew($held);
            } catch (Exception $error) {
                $this->error('renew', $error);
                if (now() > $until - SAFE) {
                    break;
                }
                continue;
            }
            if (!$kept) {
                if ($sent < $until) {
                    $this->say(['wrong' => 'it was no longer the holder before its time was over']);
                }
                return $sent;
            }
            $this->say(['kept' => $sent]);
            $until = $sent + SECONDS;
            if (!$this->isKeeping && now() > $begun + HOLDS) {
                break;
            }
        }
        return $until;
    }

    // An outcome that is not known, or certainly not done: both are the world's ways.
    private function error(string $when, Exception $error): void
    {
        $this->say(['error' => substr("$when: " . get_class($error) . ': ' . $error->getMessage(), 0, 300)]);
        pause(ASKS_EVERY * mt_rand(50, 150) / 100);
    }
}

const LIBRARIES = ['phpredis' => PhpRedis::class, 'predis' => Predis::class, 'symfony/lock' => SymfonyLock::class];

[, $port, $name] = $argv;
if ($name !== 'phpredis') {
    require 'Predis/autoload.php';
}
if ($name === 'symfony/lock') {
    require 'Symfony/Component/Lock/autoload.php';
}
(new Contender($name, LIBRARIES[$name], (int) $port))->run();
