//! Golden scripts: what the log decides, for people who rely on it.
//!
//! A script is commands, `---`, and what they answered; `UPDATE_GOLDENFILES=1 cargo test -p domain` writes the
//! answers again. Times are log time, `1.5s`, `250ms` or `7ns`; a plain number is milliseconds. A key is `NAME`
//! or `DATABASE/NAME`; `x@300` is the text of 300 times `x`. `ANY [WORD]` means that the word may be left out.
//!
//! | command | what it is |
//! |---|---|
//! | `entry [TIME] [index=N] [term=N] [stamp=TERM@TIME]` | opens an entry of the log, stamped TIME by the leader of its term; without a time it has no stamp; index and term go on from the entry before |
//! | `set K V [nx\|xx\|ifeq=V\|ifne=V] [px=MS\|later=MS\|pxat=MS\|keepttl] [get]` | writes a key, as in Redis |
//! | `mset K=V… [nx]`, `del K… [holder=V]`, `getdel K`, `incr K [BY]` | as in Redis; `many=N` names N keys |
//! | `copy K L [nx]`, `rename K L [nx]` | as in Redis |
//! | `hset K F=V… [nx]`, `hdel K F…`, `hincr K F [BY]` | changes a hash |
//! | `lpush K V… [if=present]`, `rpush …`, `lpop K [N]`, `rpop …`, `lrem K V [count=N]`, `lset K INDEX V`, `ltrim K FROM TO` | changes a list |
//! | `sadd K M…`, `srem K M…` | changes a set |
//! | `zadd K M=SCORE… [if=CONDITION] [ch]`, `zincr K M BY [if=CONDITION]`, `zrem K M…`, `zremscore K FROM TO`, `zremrank K FROM TO`, `zpopmin K [N]`, `zpopmax …` | changes a sorted set |
//! | `expire K px=MS\|later=MS\|pxat=MS\|never [nx\|xx\|gt\|lt\|xxgt\|xxlt] [holder=V]`, `getex K …` | changes an end |
//! | `acquire K HOLDER ttl=TIME [takeover]` | takes a lease |
//! | `renew K HOLDER [token=N] [ttl=TIME]`, `release K HOLDER [token=N]` | keeps it, gives it back |
//! | `flush [DATABASE]`, `audit`, `reserve`, each with `[by=TEXT] [reason=TEXT]` | an operator's acts |
//! | `members VOTER… [learner=N…]`, `tenure term=N node=N [from=N] [cause=CAUSE]` | the group and its leaders |
//! | `checkpoint`, `report NODE [own\|HEX] [checkpoint=INDEX]` | comparing digests |
//! | `publish CHANNEL MESSAGE [sharded]` | sends a message |
//! | `load SCRIPT`, `unload` | keeps a script, forgets all |
//! | `tick` | nothing but its entry's stamp |
//! | `multi`, then commands, then `exec [K@SERIAL…] [database=N@SERIAL]` | a transaction of them, with guards |
//!
//! Each may have `id=client/HEX` or `id=node/INCARNATION/SEQUENCE`, then `valid=TIME` (by default ten seconds from
//! now, as the node that it enters at gives it); `wall=MS`, by which a leader turns wall-clock ends into lengths;
//! and `times=N`, which applies it so often and shows the last answer.
//!
//! What is no command of the log: `show [outcomes|scripts|members|tenures|history|checkpoint]`, `written` (the history
//! files that the shell would write now), `listen [messages] [keys] [new]` and `heard` (what has happened since), `fill N` (sets N keys), `restart` (through an image, as from a snapshot)
//! and `restore epoch=N` (through an image with a raised epoch, as from a backup).

use std::fmt::Write as _;
use std::sync::Arc;

use domain::command::Audit;
use domain::limits::VALID_MS;
use domain::{
    Action, Alteration, Cause, Classes, Command, Digest, Epoch, Event, ExpireCondition, Expiry, Guard,
    HashChange, Image, Interest, Key, ListChange, LogTime, NodeId, Once, Outcome, Position, Published,
    RequestId, Score, ScoreBound, ScoreCondition, ScoreRange, Script as Loaded, Serial, SetChange,
    SetCondition, Side, SortedSetChange, Stamp, State, Tenure, Token,
};
use goldenscript::{ArgumentConsumer, Runner};

use crate::words::{
    Result, act, in_words, milliseconds, name, number, parse_key, sealed, seconds, text, time, value, words,
};

scripts! { Script, "tests/scripts",
    checkpoint_agreement
    copies
    epoch_raised
    events
    expire_conditions
    expiry_order
    flush_leaves_an_audit_record
    hashes
    history_is_sealed
    integers
    key_ends
    late_command
    lease_acquire_release
    lease_renew
    lease_stale_token
    lease_take_over
    limits
    lists
    many_keys
    outcome_forgotten
    repeated_command
    repeated_lease_request
    reserve_node
    scripts_loaded
    set_conditions
    sets
    sorted_sets
    stamp_backwards
    stamp_missing
    stamp_stale
    tenures
    tokens_grow
    tokens_kept
    transaction_guards
    transaction_repeated
    transactions
    wall_clock_end
    wrong_kind
}

struct Script {
    state: State,
    /// Of the next command.
    at: Position,
    /// What every node that is whole reports for the last checkpoint.
    own_digest: Digest,
    /// The actions since `multi`.
    queue: Option<Vec<Action>>,
}

impl Default for Script {
    fn default() -> Self {
        let at = Position { index: 0, offset: 0, term: 1, stamp: None };
        Self { state: State::default(), at, own_digest: Digest::default(), queue: None }
    }
}

impl Runner for Script {
    type Command = goldenscript::Command;

    fn run(&mut self, command: &goldenscript::Command, _: &goldenscript::Context) -> Result<String> {
        let mut args = command.consume_args();
        let output = match command.name.as_str() {
            "entry" => self.entry(&mut args)?,
            "show" => self.show(args.next_pos())?,
            "written" => self.written()?,
            "listen" => self.listen(&mut args)?,
            "heard" => self.heard()?,
            "fill" => self.fill(number(args.next_pos().ok_or("how many keys?")?)?),
            "restart" => self.rebuild(|_| ()),
            "restore" => {
                let epoch = number(args.take_key("epoch").ok_or("which epoch?")?)?;
                let epoch = Epoch::new(u16::try_from(epoch)?).ok_or("too great")?;
                self.rebuild(|image| image.epoch = epoch)
            }
            "multi" => {
                self.queue = Some(Vec::new());
                "begun".to_owned()
            }
            _ => self.apply(command, &mut args)?,
        };
        args.reject_next()?;
        Ok(output)
    }

    fn end_command(&mut self, _: &goldenscript::Command, _: &goldenscript::Context) -> Result<String> {
        let now = self.state.now();
        assert!(
            self.state.keys().all(|(_, entry)| entry.end.is_none_or(|end| end > now)),
            "a key outlived its end"
        );
        // A script that fills the keyspace would take long to rebuild after each command.
        if self.state.key_count() < 1000 {
            State::from_image(self.state.image(), self.state.digest())?;
        }
        Ok(String::new())
    }
}

impl Script {
    fn entry(&mut self, args: &mut ArgumentConsumer<'_>) -> Result<String> {
        let index = args.take_key("index").map(number).transpose()?.unwrap_or(self.at.index + 1);
        let term = args.take_key("term").map(number).transpose()?.unwrap_or(self.at.term);
        let stamp = match (args.next_pos(), args.take_key("stamp")) {
            (None, None) => None,
            (Some(at), None) => Some(Stamp { term, time: time(at)? }),
            (None, Some(stamp)) => {
                let (term, at) = stamp.split_once('@').ok_or("a stamp is TERM@TIME")?;
                Some(Stamp { term: number(term)?, time: time(at)? })
            }
            (Some(_), Some(_)) => return Err("one stamp is enough".into()),
        };
        self.at = Position { index, offset: 0, term, stamp };
        Ok(match stamp {
            Some(stamp) => {
                format!(
                    "entry {index} of term {term}, stamped {} in term {}",
                    seconds(stamp.time),
                    stamp.term
                )
            }
            None => format!("entry {index} of term {term}, not stamped"),
        })
    }

    fn apply(&mut self, command: &goldenscript::Command, args: &mut ArgumentConsumer<'_>) -> Result<String> {
        if self.at.index == 0 {
            return Err("no entry is open".into());
        }
        let times = args.take_key("times").map(number).transpose()?.unwrap_or(1);
        let wall_ms = args.take_key("wall").map(milliseconds).transpose()?;
        let once = self.once(args)?;
        let mut action = self.action(&command.name, args)?;
        if let Some(wall_ms) = wall_ms {
            action.resolve_wall_clock(wall_ms);
        }
        if let Some(queue) = &mut self.queue {
            queue.push(action);
            return Ok("queued".to_owned());
        }
        if matches!(action, Action::Checkpoint) {
            self.own_digest = self.state.digest();
        }
        let mut output = String::new();
        for left in (0..times).rev() {
            let outcome = self.apply_one(Command { once, action: action.clone() }, &mut output)?;
            if left == 0 {
                writeln!(output, "{command} → {}", in_words(&action, &outcome))?;
            }
        }
        Ok(output)
    }

    /// Also tells which keys ended before the command ran, and holds the serial to account for each.
    fn apply_one(&mut self, command: Command, output: &mut String) -> Result<Outcome> {
        let serial_before = self.state.serial().0;
        let mut ending: Vec<(LogTime, Key)> = match self.state.next_end() {
            Some(_) => self.state.keys().filter_map(|(key, entry)| Some((entry.end?, key.clone()))).collect(),
            None => Vec::new(),
        };
        let outcome = self.state.apply(self.at, command);
        self.at.offset += 1;
        ending.retain(|(end, _)| *end <= self.state.now());
        ending.sort();
        for (end, key) in &ending {
            writeln!(output, "{} ended, due at {}", name(key), seconds(*end))?;
        }
        let serial = self.state.serial().0;
        assert_eq!(
            serial,
            serial_before + ending.len() as u64 + outcome.serials(),
            "a serial for each end, one for the command, and one for each action of a transaction"
        );
        assert!(outcome.repeated || outcome.made.serial.0 + outcome.serials() == serial + 1);
        Ok(outcome)
    }

    fn once(&self, args: &mut ArgumentConsumer<'_>) -> Result<Option<Once>> {
        let valid_until = args.take_key("valid").map(time).transpose()?;
        let valid_until = valid_until.unwrap_or_else(|| self.state.now().plus_ms(VALID_MS));
        let Some(id) = args.take_key("id") else { return Ok(None) };
        let parts: Vec<&str> = id.split('/').collect();
        let id = match parts[..] {
            ["client", hex] => RequestId::Client(u128::from_str_radix(hex, 16)?.to_be_bytes()),
            ["node", incarnation, sequence] => {
                RequestId::Node { incarnation: number(incarnation)?, sequence: number(sequence)? }
            }
            _ => return Err("an id is client/HEX or node/INCARNATION/SEQUENCE".into()),
        };
        Ok(Some(Once { id, valid_until }))
    }

    fn listen(&mut self, args: &mut ArgumentConsumer<'_>) -> Result<String> {
        let mut interest = Interest::default();
        while let Some(word) = args.next_pos() {
            match word {
                "messages" => interest.messages = true,
                "keys" => {
                    interest.keys |= Classes::GENERIC | Classes::STRING | Classes::EXPIRED;
                    interest.keys |= Classes::HASH | Classes::LIST;
                    interest.keys |= Classes::SET | Classes::SORTED_SET;
                }
                "new" => interest.keys |= Classes::NEW,
                _ => return Err(format!("what is {word}?").into()),
            }
        }
        self.state.listen(interest);
        Ok("listening".to_owned())
    }

    fn heard(&mut self) -> Result<String> {
        let mut output = String::new();
        for event in self.state.take_events() {
            match event {
                Event::Published(Published { channel, message, sharded }) => {
                    let sharded = if sharded { " (sharded)" } else { "" };
                    writeln!(output, "{}{sharded}: {}", words(&channel), words(&message))?;
                }
                Event::Key { key, what } => writeln!(output, "{} {}", what.word(), name(&key))?,
            }
        }
        Ok(if output.is_empty() { "nothing".to_owned() } else { output })
    }

    fn fill(&mut self, keys: u64) -> String {
        let numbers: Vec<u64> = (0..keys).collect();
        for some in numbers.chunks(1000) {
            let pairs =
                some.iter().map(|n| (Key::new(0, format!("fill{n}").into_bytes()), text("v"))).collect();
            let action = Action::SetMany { pairs, if_none_exist: false };
            self.state.apply(self.at, Command::harmless(action));
        }
        format!("{} keys", self.state.key_count())
    }

    fn rebuild(&mut self, change: impl FnOnce(&mut Image)) -> String {
        let mut image = self.state.image();
        change(&mut image);
        self.state = match State::from_image(image.clone(), self.state.digest()) {
            Ok(state) => state,
            Err(wrong) => State::from_image(image, wrong.computed).expect("this is its digest"),
        };
        format!("epoch {}, serial {}", self.state.epoch().get(), self.state.serial())
    }
}

// What a command says.
impl Script {
    fn action(&mut self, command: &str, args: &mut ArgumentConsumer<'_>) -> Result<Action> {
        Ok(match command {
            "tick" => Action::Tick,
            "exec" => {
                let database = args.take_key("database").map(|guard| {
                    let (database, as_of) = as_of(guard)?;
                    Ok(Guard::Database { database: database.parse()?, as_of })
                });
                let keys = std::iter::from_fn(|| args.next_pos()).map(|guard| {
                    let (key, as_of) = as_of(guard)?;
                    Ok(Guard::Key { key: parse_key(key), as_of })
                });
                let guards = keys.chain(database).collect::<Result<_>>()?;
                Action::Transaction { guards, actions: self.queue.take().ok_or("no multi")? }
            }

            "set" => {
                let (key, value) = (self.key(args)?, text(args.next_pos().ok_or("no value")?));
                let operand = |args: &mut ArgumentConsumer<'_>, name| args.take_key(name).map(text);
                let mut condition = match (operand(args, "ifeq"), operand(args, "ifne")) {
                    (Some(value), None) => SetCondition::IfEqual(value),
                    (None, Some(value)) => SetCondition::IfNotEqual(value),
                    _ => SetCondition::Always,
                };
                let mut expiry = expiry(args)?.unwrap_or(Expiry::Never);
                let mut previous = false;
                while let Some(word) = args.next_pos() {
                    match word {
                        "nx" => condition = SetCondition::IfAbsent,
                        "xx" => condition = SetCondition::IfPresent,
                        "keepttl" => expiry = Expiry::Keep,
                        "get" => previous = true,
                        _ => return Err(format!("what is {word}?").into()),
                    }
                }
                Action::Set { key, value, condition, expiry, previous }
            }
            "mset" => {
                let many = self.many(args)?.into_iter().map(|key| (key, text("v")));
                let named =
                    std::iter::from_fn(|| args.next_key()).map(|(key, value)| (parse_key(key), text(value)));
                let pairs = many.chain(named).collect();
                Action::SetMany { pairs, if_none_exist: word(args, "nx")? }
            }
            "del" => {
                let holder = args.take_key("holder").map(text);
                let mut keys = self.many(args)?;
                keys.extend(std::iter::from_fn(|| args.next_pos()).map(parse_key));
                Action::Remove { keys, holder }
            }
            "getdel" => Action::Take { key: self.key(args)? },
            "incr" => {
                let key = self.key(args)?;
                Action::Increment { key, by: args.next_pos().map(str::parse).transpose()?.unwrap_or(1) }
            }
            "copy" | "rename" => Action::Copy {
                from: self.key(args)?,
                to: self.key(args)?,
                if_absent: word(args, "nx")?,
                moves: command == "rename",
            },
            "hset" | "hdel" | "hincr" => {
                let key = self.key(args)?;
                Action::Alter { key, alteration: Alteration::Hash(hash_change(command, args)?) }
            }
            "lpush" | "rpush" | "lpop" | "rpop" | "lrem" | "lset" | "ltrim" => {
                let key = self.key(args)?;
                Action::Alter { key, alteration: Alteration::List(list_change(command, args)?) }
            }
            "sadd" | "srem" => {
                let (key, members) = (self.key(args)?, texts(args));
                let change = if command == "sadd" {
                    SetChange::Add { members }
                } else {
                    SetChange::Remove { members }
                };
                Action::Alter { key, alteration: Alteration::Set(change) }
            }
            "zadd" | "zincr" | "zrem" | "zremscore" | "zremrank" | "zpopmin" | "zpopmax" => {
                let key = self.key(args)?;
                Action::Alter { key, alteration: Alteration::SortedSet(sorted_set_change(command, args)?) }
            }
            "expire" | "getex" => {
                let key = self.key(args)?;
                let holder = args.take_key("holder").map(text);
                let mut expiry = expiry(args)?;
                let mut condition = ExpireCondition::Always;
                while let Some(word) = args.next_pos() {
                    match word {
                        "never" => expiry = Some(Expiry::Never),
                        "keepttl" => expiry = Some(Expiry::Keep),
                        "nx" => condition = ExpireCondition::HasNoEnd,
                        "xx" => condition = ExpireCondition::HasEnd,
                        "gt" => condition = ExpireCondition::Later,
                        "lt" => condition = ExpireCondition::Earlier,
                        "xxgt" => condition = ExpireCondition::HasEndAndLater,
                        "xxlt" => condition = ExpireCondition::HasEndAndEarlier,
                        _ => return Err(format!("what is {word}?").into()),
                    }
                }
                let expiry = expiry.ok_or("which end?")?;
                match command {
                    "expire" => Action::Expire { key, expiry, condition, holder },
                    _ => Action::Touch { key, expiry },
                }
            }

            "acquire" => Action::Acquire {
                key: self.key(args)?,
                holder: text(args.next_pos().ok_or("no holder")?),
                ttl_ms: u64::try_from(milliseconds(args.take_key("ttl").ok_or("no ttl")?)?)?,
                take_over: word(args, "takeover")?,
            },
            "renew" => Action::Renew {
                key: self.key(args)?,
                holder: text(args.next_pos().ok_or("no holder")?),
                token: token(args)?,
                ttl_ms: args.take_key("ttl").map(milliseconds).transpose()?.map(u64::try_from).transpose()?,
            },
            "release" => Action::Release {
                key: self.key(args)?,
                holder: text(args.next_pos().ok_or("no holder")?),
                token: token(args)?,
            },

            "flush" => {
                let database = args.next_pos().map(str::parse).transpose()?;
                Action::Flush { database, audit: audit("flush", args) }
            }
            "publish" => Action::Publish(Published {
                channel: text(args.next_pos().ok_or("no channel")?),
                message: text(args.next_pos().ok_or("no message")?),
                sharded: word(args, "sharded")?,
            }),
            "load" => Action::LoadScript(Loaded::new(text(args.next_pos().ok_or("no script")?))),
            "unload" => Action::FlushScripts,
            "audit" => Action::Audit(audit("note", args)),
            "reserve" => Action::ReserveNode { audit: audit("reserve", args) },
            "members" => {
                let learners = std::iter::from_fn(|| args.next_key()).map(|(_, id)| number(id).map(NodeId));
                let learners = learners.collect::<Result<_>>()?;
                let voters = std::iter::from_fn(|| args.next_pos()).map(|id| number(id).map(NodeId));
                Action::Members { voters: voters.collect::<Result<_>>()?, learners }
            }
            "tenure" => Action::RecordTenure(Box::new(tenure(args)?)),
            "checkpoint" => Action::Checkpoint,
            "report" => {
                let node = NodeId(number(args.next_pos().ok_or("which node?")?)?);
                let digest = match args.next_pos() {
                    None | Some("own") => self.own_digest.0,
                    Some(hex) => u128::from_str_radix(hex, 16)?,
                };
                let checkpoint = args.take_key("checkpoint").map(number).transpose()?;
                let checkpoint = checkpoint.unwrap_or(self.state.checkpoint().index);
                Action::ReportDigest { node, checkpoint, digest }
            }
            other => return Err(format!("there is no command {other}").into()),
        })
    }

    fn key(&self, args: &mut ArgumentConsumer<'_>) -> Result<Key> {
        args.next_pos().map(parse_key).ok_or_else(|| "no key".into())
    }

    /// The keys of `many=N`.
    fn many(&self, args: &mut ArgumentConsumer<'_>) -> Result<Vec<Key>> {
        let many = args.take_key("many").map(number).transpose()?.unwrap_or(0);
        Ok((0..many).map(|n| Key::new(0, format!("many{n}").into_bytes())).collect())
    }
}

fn expiry(args: &mut ArgumentConsumer<'_>) -> Result<Option<Expiry>> {
    Ok(if let Some(ms) = args.take_key("px") {
        Some(Expiry::InMs(milliseconds(ms)?))
    } else if let Some(ms) = args.take_key("later") {
        Some(Expiry::LaterByMs(milliseconds(ms)?))
    } else if let Some(ms) = args.take_key("pxat") {
        Some(Expiry::AtWallMs(milliseconds(ms)?))
    } else {
        None
    })
}

fn hash_change(command: &str, args: &mut ArgumentConsumer<'_>) -> Result<HashChange> {
    Ok(match command {
        "hset" => HashChange::Set {
            fields: std::iter::from_fn(|| args.next_key()).map(|(f, v)| (text(f), text(v))).collect(),
            if_absent: word(args, "nx")?,
        },
        "hdel" => HashChange::Remove { fields: texts(args) },
        _ => HashChange::Increment {
            field: text(args.next_pos().ok_or("no field")?),
            by: args.next_pos().map(str::parse).transpose()?.unwrap_or(1),
        },
    })
}

fn list_change(command: &str, args: &mut ArgumentConsumer<'_>) -> Result<ListChange> {
    let side = if command.starts_with('l') { Side::Left } else { Side::Right };
    Ok(match command {
        "lpush" | "rpush" => {
            let if_present = args.take_key("if") == Some("present");
            ListChange::Push { side, elements: texts(args), if_present }
        }
        "lpop" | "rpop" => {
            ListChange::Pop { side, count: args.next_pos().map(number).transpose()?.unwrap_or(1) }
        }
        "lrem" => ListChange::Remove {
            element: text(args.next_pos().ok_or("no element")?),
            count: args.take_key("count").map(str::parse).transpose()?.unwrap_or(0),
        },
        "lset" => ListChange::Set {
            index: args.next_pos().ok_or("no index")?.parse()?,
            element: text(args.next_pos().ok_or("no element")?),
        },
        _ => ListChange::Trim {
            start: args.next_pos().ok_or("from where?")?.parse()?,
            stop: args.next_pos().ok_or("to where?")?.parse()?,
        },
    })
}

fn sorted_set_change(command: &str, args: &mut ArgumentConsumer<'_>) -> Result<SortedSetChange> {
    let mut condition = ScoreCondition::Always;
    if let Some(wanted) = args.take_key("if") {
        let named = |known: &ScoreCondition| format!("{known:?}").eq_ignore_ascii_case(wanted);
        condition = ScoreCondition::ALL.into_iter().find(named).ok_or("which condition?")?;
    }
    let mut next = || args.next_pos().ok_or("an argument is missing");
    Ok(match command {
        "zincr" => SortedSetChange::Increment { member: text(next()?), by: score(next()?)?, condition },
        "zremscore" => {
            let (min, max) = (score_bound(next()?)?, score_bound(next()?)?);
            SortedSetChange::RemoveByScore { range: ScoreRange { min, max } }
        }
        "zremrank" => SortedSetChange::RemoveByRank { start: next()?.parse()?, stop: next()?.parse()? },
        "zrem" => SortedSetChange::Remove { members: texts(args) },
        "zadd" => {
            let members = std::iter::from_fn(|| args.next_key()).map(|(m, s)| Ok((score(s)?, text(m))));
            let members = members.collect::<Result<_>>()?;
            SortedSetChange::Add { members, condition, counts_changed: word(args, "ch")? }
        }
        _ => SortedSetChange::Pop {
            greatest: command == "zpopmax",
            count: args.next_pos().map(number).transpose()?.unwrap_or(1),
        },
    })
}

fn score(number: &str) -> Result<Score> {
    Score::new(number.parse()?).ok_or_else(|| "not a number".into())
}

/// `(1`: without 1.
fn score_bound(bound: &str) -> Result<ScoreBound> {
    let (excluded, number) = bound.strip_prefix('(').map_or((false, bound), |rest| (true, rest));
    Ok(ScoreBound { score: score(number)?, excluded })
}

fn texts(args: &mut ArgumentConsumer<'_>) -> Vec<Arc<[u8]>> {
    std::iter::from_fn(|| args.next_pos()).map(text).collect()
}

fn as_of(guard: &str) -> Result<(&str, Serial)> {
    let (what, as_of) = guard.rsplit_once('@').ok_or("a guard is WHAT@SERIAL")?;
    Ok((what, Serial(number(as_of)?)))
}

fn token(args: &mut ArgumentConsumer<'_>) -> Result<Option<Token>> {
    let token = args.take_key("token").map(number).transpose()?;
    token.map(|token| Token::from_u64(token).ok_or_else(|| "no token can be so great".into())).transpose()
}

fn audit(action: &str, args: &mut ArgumentConsumer<'_>) -> Box<Audit> {
    let mut take = |name, or: &str| {
        String::from_utf8(text(args.take_key(name).unwrap_or(or)).to_vec()).expect("scripts are UTF-8")
    };
    let (actor, subject, reason) = (take("by", "ops"), take("subject", ""), take("reason", "test"));
    Box::new(Audit { wall_ms: 0, actor, action: take("action", action), subject, reason })
}

fn tenure(args: &mut ArgumentConsumer<'_>) -> Result<Tenure> {
    let cause = args.take_key("cause").unwrap_or("crash");
    let cause = Cause::ALL.into_iter().find(|known| format!("{known:?}").eq_ignore_ascii_case(cause));
    Ok(Tenure {
        term: number(args.take_key("term").ok_or("which term?")?)?,
        node: NodeId(number(args.take_key("node").ok_or("which node?")?)?),
        from: args.take_key("from").map(number).transpose()?.map(NodeId),
        cause: cause.ok_or("which cause?")?,
        detected_ms: 200,
        elected_ms: 230,
        applied_ms: 240,
        reconciled_ms: 250,
        active_ms: 260,
        wall_ms: 0,
    })
}

/// Whether the last argument is `word`.
fn word(args: &mut ArgumentConsumer<'_>, word: &str) -> Result<bool> {
    match args.next_pos() {
        None => Ok(false),
        Some(found) if found == word => Ok(true),
        Some(other) => Err(format!("what is {other}?").into()),
    }
}

// What a state says.
impl Script {
    fn show(&self, what: Option<&str>) -> Result<String> {
        let state = &self.state;
        let mut output = String::new();
        match what {
            None => {
                writeln!(output, "now {}, serial {}", seconds(state.now()), state.serial())?;
                for (key, entry) in state.keys() {
                    write!(output, "{} = {}", name(key), value(&entry.value))?;
                    write!(output, ", token {}, revision {}", entry.token, entry.revision)?;
                    match (entry.end, entry.ttl_ms) {
                        (Some(end), Some(ttl_ms)) => {
                            writeln!(output, ", ends {}, ttl {ttl_ms} ms", seconds(end))?
                        }
                        (Some(end), None) => writeln!(output, ", ends {}", seconds(end))?,
                        (None, None) => writeln!(output, ", no end")?,
                        (None, Some(_)) => return Err("a length without an end".into()),
                    }
                }
            }
            Some("scripts") => {
                let scripts = state.scripts();
                writeln!(output, "{} bytes, flushed at serial {}", scripts.bytes(), scripts.flushed())?;
                for script in scripts.iter() {
                    writeln!(output, "{} {}", script.sha(), words(script.source()))?;
                }
            }
            Some("outcomes") => {
                for (id, remembered) in state.image().outcomes {
                    let id = match id {
                        RequestId::Client(id) => format!("client/{:02x}", u128::from_be_bytes(id)),
                        RequestId::Node { incarnation, sequence } => format!("node/{incarnation}/{sequence}"),
                    };
                    let (serial, until) = (remembered.made.serial, seconds(remembered.until));
                    writeln!(output, "{id} ran as serial {serial}, remembered until {until}")?;
                }
                if output.is_empty() {
                    output.push_str("none");
                }
            }
            Some("members") => {
                let members = state.members();
                for (name, nodes) in
                    [("voters", &members.voters), ("learners", &members.learners), ("known", &members.known)]
                {
                    let nodes: Vec<String> = nodes.iter().map(NodeId::to_string).collect();
                    let nodes = if nodes.is_empty() { "none".to_owned() } else { nodes.join(" ") };
                    writeln!(output, "{name}: {nodes}")?;
                }
            }
            Some("tenures") => {
                for Tenure { term, node, from, cause, .. } in state.tenures() {
                    let from = from.map_or("nobody".to_owned(), |node| format!("node {node}"));
                    writeln!(output, "term {term}: node {node} after {from}, {cause:?}")?;
                }
            }
            Some("history") => {
                for file in state.sealed_history() {
                    writeln!(output, "{}", sealed(file))?;
                }
                let tail = state.history_tail();
                match tail {
                    [first, .., last] if tail.len() > 3 => {
                        writeln!(output, "{}\n… {} more …\n{}", act(first), tail.len() - 2, act(last))?;
                    }
                    tail => tail.iter().try_for_each(|record| writeln!(output, "{}", act(record)))?,
                }
                if output.is_empty() {
                    output.push_str("none");
                }
            }
            Some("checkpoint") => {
                let checkpoint = state.checkpoint();
                writeln!(output, "of entry {}", checkpoint.index)?;
                for node in &state.members().known {
                    let report = match checkpoint.reports.get(node) {
                        None => "no report".to_owned(),
                        Some(digest) if *digest == self.own_digest.0 => "reports our digest".to_owned(),
                        Some(digest) => format!("reports {digest:x}"),
                    };
                    writeln!(output, "node {node}: {report}, {:?}", state.integrity(*node))?;
                }
            }
            Some(other) => return Err(format!("what is {other}?").into()),
        }
        Ok(output)
    }

    fn written(&mut self) -> Result<String> {
        let mut output = String::new();
        for (file, records) in self.state.take_unwritten_history() {
            assert_eq!(file.records, records.len() as u64);
            writeln!(output, "write {}", sealed(&file))?;
        }
        Ok(if output.is_empty() { "nothing to write".to_owned() } else { output })
    }
}
