//! The one encoding of a command.

use domain::orders::command::OrderAction;
use domain::trading::command::TradingAction;
use domain::trading::configuration::{Day, Revision};
use domain::{Action, NodeId, Published, Script};

use crate::error::{known, required, u128_of};
use crate::key::{bytes_of, database_of, key_of, set_condition_of, set_condition_parts, token_of, value_of};
use crate::log::command as kind;
use crate::order::{parsed, tag_of};
use crate::record::{audit_of, report_digest, u128_bytes};
use crate::trading::record::{mode_of, subject_of};
use crate::{DecodeError, log};

impl From<&domain::Command> for log::Command {
    fn from(command: &domain::Command) -> Self {
        Self { once: command.once.map(Into::into), action: Some((&command.action).into()) }
    }
}

impl TryFrom<log::Command> for domain::Command {
    type Error = DecodeError;

    fn try_from(command: log::Command) -> Result<Self, DecodeError> {
        Ok(Self {
            once: command.once.map(TryInto::try_into).transpose()?,
            action: required("Command.action", command.action)?.try_into()?,
        })
    }
}

impl From<&Action> for kind::Action {
    /// # Panics
    ///
    /// On [`Action::Members`]: it reaches the log as a membership payload, and a node makes the action of that.
    fn from(action: &Action) -> Self {
        match action {
            Action::Tick => Self::Tick(log::Tick {}),

            Action::Set { key, value, condition, expiry, previous } => {
                let (condition, operand) = set_condition_parts(condition);
                Self::Set(log::Set {
                    key: Some(key.into()),
                    value: bytes_of(value),
                    condition: condition.into(),
                    operand,
                    expiry: Some((*expiry).into()),
                    previous: *previous,
                })
            }
            Action::SetMany { pairs, if_none_exist } => Self::SetMany(log::SetMany {
                pairs: pairs
                    .iter()
                    .map(|(key, value)| log::Pair { key: Some(key.into()), value: bytes_of(value) })
                    .collect(),
                if_none_exist: *if_none_exist,
            }),
            Action::Remove { keys, holder } => Self::Remove(log::Remove {
                keys: keys.iter().map(Into::into).collect(),
                holder: holder.as_deref().map(bytes_of),
            }),
            Action::Take { key } => Self::Take(log::Take { key: Some(key.into()) }),
            Action::Expire { key, expiry, condition, holder } => Self::Expire(log::Expire {
                key: Some(key.into()),
                expiry: Some((*expiry).into()),
                condition: log::ExpireCondition::from(*condition).into(),
                holder: holder.as_deref().map(bytes_of),
            }),
            Action::Touch { key, expiry } => {
                Self::Touch(log::Touch { key: Some(key.into()), expiry: Some((*expiry).into()) })
            }
            Action::Increment { key, by } => {
                Self::Increment(log::Increment { key: Some(key.into()), by: *by })
            }
            Action::Copy { from, to, if_absent, moves } => Self::Copy(log::Copy {
                from: Some(from.into()),
                to: Some(to.into()),
                if_absent: *if_absent,
                moves: *moves,
            }),
            Action::Alter { key, alteration } => {
                Self::Alter(log::Alter { key: Some(key.into()), alteration: Some(alteration.into()) })
            }
            Action::Flush { database, audit } => {
                Self::Flush(log::Flush { database: database.map(Into::into), audit: Some((&**audit).into()) })
            }

            Action::Acquire { key, holder, ttl_ms, take_over } => Self::Acquire(log::Acquire {
                key: Some(key.into()),
                holder: bytes_of(holder),
                ttl_ms: *ttl_ms,
                take_over: *take_over,
            }),
            Action::Renew { key, holder, token, ttl_ms } => Self::Renew(log::Renew {
                key: Some(key.into()),
                holder: bytes_of(holder),
                token: token.map(|token| token.as_u64()),
                ttl_ms: *ttl_ms,
            }),
            Action::Release { key, holder, token } => Self::Release(log::Release {
                key: Some(key.into()),
                holder: bytes_of(holder),
                token: token.map(|token| token.as_u64()),
            }),

            Action::Publish(Published { channel, message, sharded }) => Self::Publish(log::Publish {
                channel: bytes_of(channel),
                message: bytes_of(message),
                sharded: *sharded,
            }),

            Action::LoadScript(script) => {
                Self::LoadScript(log::LoadScript { source: bytes_of(script.source()) })
            }
            Action::FlushScripts => Self::FlushScripts(log::FlushScripts {}),

            Action::Transaction { guards, actions } => Self::Transaction(log::Transaction {
                guards: guards.iter().map(Into::into).collect(),
                actions: actions
                    .iter()
                    .map(|action| log::Command { once: None, action: Some(action.into()) })
                    .collect(),
            }),

            Action::Order(action) => order_kind(action),
            Action::Trading(action) => trading_kind(action),

            Action::Members { .. } => {
                panic!("members reach the log as a membership payload, not as a command")
            }
            Action::ReserveNode { audit } => {
                Self::ReserveNode(log::ReserveNode { audit: Some((&**audit).into()) })
            }
            Action::RecordTenure(tenure) => Self::RecordTenure((&**tenure).into()),
            Action::Checkpoint => Self::Checkpoint(log::Checkpoint {}),
            Action::ReportDigest { node, checkpoint, digest } => {
                Self::ReportDigest(report_digest(*node, *checkpoint, *digest))
            }
            Action::Audit(audit) => Self::Audit((&**audit).into()),
        }
    }
}

impl TryFrom<kind::Action> for Action {
    type Error = DecodeError;

    fn try_from(action: kind::Action) -> Result<Self, DecodeError> {
        Ok(match action {
            kind::Action::Tick(log::Tick {}) => Self::Tick,

            kind::Action::Set(log::Set { key, value, condition, operand, expiry, previous }) => Self::Set {
                key: key_of("Set.key", key)?,
                value: value_of(&value),
                condition: set_condition_of(condition, &operand)?,
                expiry: required("Set.expiry", expiry)?.try_into()?,
                previous,
            },
            kind::Action::SetMany(log::SetMany { pairs, if_none_exist }) => Self::SetMany {
                pairs: pairs
                    .into_iter()
                    .map(|pair| Ok((key_of("Pair.key", pair.key)?, value_of(&pair.value))))
                    .collect::<Result<_, DecodeError>>()?,
                if_none_exist,
            },
            kind::Action::Remove(log::Remove { keys, holder }) => Self::Remove {
                keys: keys.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
                holder: holder.as_ref().map(value_of),
            },
            kind::Action::Take(log::Take { key }) => Self::Take { key: key_of("Take.key", key)? },
            kind::Action::Expire(log::Expire { key, expiry, condition, holder }) => Self::Expire {
                key: key_of("Expire.key", key)?,
                expiry: required("Expire.expiry", expiry)?.try_into()?,
                condition: known::<log::ExpireCondition>("Expire.condition", condition)?.into(),
                holder: holder.as_ref().map(value_of),
            },
            kind::Action::Touch(log::Touch { key, expiry }) => Self::Touch {
                key: key_of("Touch.key", key)?,
                expiry: required("Touch.expiry", expiry)?.try_into()?,
            },
            kind::Action::Increment(log::Increment { key, by }) => {
                Self::Increment { key: key_of("Increment.key", key)?, by }
            }
            kind::Action::Copy(log::Copy { from, to, if_absent, moves }) => {
                Self::Copy { from: key_of("Copy.from", from)?, to: key_of("Copy.to", to)?, if_absent, moves }
            }
            kind::Action::Alter(log::Alter { key, alteration }) => Self::Alter {
                key: key_of("Alter.key", key)?,
                alteration: required("Alter.alteration", alteration)?.try_into()?,
            },
            kind::Action::Flush(log::Flush { database, audit }) => Self::Flush {
                database: database.map(|database| database_of("Flush.database", database)).transpose()?,
                audit: audit_of("Flush.audit", audit)?,
            },

            kind::Action::Acquire(log::Acquire { key, holder, ttl_ms, take_over }) => Self::Acquire {
                key: key_of("Acquire.key", key)?,
                holder: value_of(&holder),
                ttl_ms,
                take_over,
            },
            kind::Action::Renew(log::Renew { key, holder, token, ttl_ms }) => Self::Renew {
                key: key_of("Renew.key", key)?,
                holder: value_of(&holder),
                token: token.map(|token| token_of("Renew.token", token)).transpose()?,
                ttl_ms,
            },
            kind::Action::Release(log::Release { key, holder, token }) => Self::Release {
                key: key_of("Release.key", key)?,
                holder: value_of(&holder),
                token: token.map(|token| token_of("Release.token", token)).transpose()?,
            },

            kind::Action::Publish(log::Publish { channel, message, sharded }) => {
                Self::Publish(Published { channel: value_of(&channel), message: value_of(&message), sharded })
            }

            kind::Action::LoadScript(log::LoadScript { source }) => {
                Self::LoadScript(Script::new(value_of(&source)))
            }
            kind::Action::FlushScripts(log::FlushScripts {}) => Self::FlushScripts,

            kind::Action::Transaction(log::Transaction { guards, actions }) => Self::Transaction {
                guards: guards.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
                actions: actions.into_iter().map(part).collect::<Result<_, _>>()?,
            },

            kind::Action::SubmitOrder(submit) => order(OrderAction::Submit(submit.try_into()?)),
            kind::Action::CancelOrder(cancel) => order(OrderAction::Cancel(cancel.try_into()?)),
            kind::Action::ReplaceOrder(replace) => order(OrderAction::Replace(replace.try_into()?)),
            kind::Action::ReportOrder(report) => order(OrderAction::Report(report.try_into()?)),

            kind::Action::Configure(log::Configure { configuration, tag, audit, expected }) => {
                trading(TradingAction::Configure {
                    draft: required("Configure.configuration", configuration)?.try_into()?,
                    expected: expected
                        .map(|bytes| u128_of("Configure.expected", &bytes).map(Revision))
                        .transpose()?,
                    tag: tag_of("Configure.tag", &tag)?,
                    audit: audit_of("Configure.audit", audit)?,
                })
            }
            kind::Action::SetKillSwitch(log::SetKillSwitch { subject, engaged, audit }) => {
                trading(TradingAction::SetKillSwitch {
                    subject: subject_of("SetKillSwitch.subject", subject)?,
                    engaged,
                    audit: audit_of("SetKillSwitch.audit", audit)?,
                })
            }
            kind::Action::SetMode(log::SetMode { subject, mode, audit }) => trading(TradingAction::SetMode {
                subject: subject_of("SetMode.subject", subject)?,
                mode: mode_of(mode)?,
                audit: audit_of("SetMode.audit", audit)?,
            }),
            kind::Action::SetBreaker(log::SetBreaker { venue, forced_open, audit }) => {
                trading(TradingAction::SetBreaker {
                    venue: parsed("SetBreaker.venue", &venue)?,
                    forced_open,
                    audit: audit_of("SetBreaker.audit", audit)?,
                })
            }
            kind::Action::RecordReconciled(log::RecordReconciled { account, term }) => {
                let account = parsed("RecordReconciled.account", &account)?;
                trading(TradingAction::RecordReconciled { account, term })
            }
            kind::Action::RollDay(log::RollDay { day }) => trading(TradingAction::RollDay(Day(day))),

            kind::Action::ReserveNode(log::ReserveNode { audit }) => {
                Self::ReserveNode { audit: audit_of("ReserveNode.audit", audit)? }
            }
            kind::Action::RecordTenure(tenure) => Self::RecordTenure(Box::new(tenure.try_into()?)),
            kind::Action::Checkpoint(log::Checkpoint {}) => Self::Checkpoint,
            kind::Action::ReportDigest(log::ReportDigest { node, checkpoint, digest }) => {
                Self::ReportDigest {
                    node: NodeId(node),
                    checkpoint,
                    digest: u128_of("ReportDigest.digest", &digest)?,
                }
            }
            kind::Action::Audit(audit) => Self::Audit(Box::new(audit.into())),
        })
    }
}

fn order(action: OrderAction) -> Action {
    Action::Order(Box::new(action))
}

fn trading(action: TradingAction) -> Action {
    Action::Trading(Box::new(action))
}

fn order_kind(action: &OrderAction) -> kind::Action {
    match action {
        OrderAction::Submit(submit) => kind::Action::SubmitOrder(submit.into()),
        OrderAction::Cancel(cancel) => kind::Action::CancelOrder(cancel.into()),
        OrderAction::Replace(replace) => kind::Action::ReplaceOrder(replace.into()),
        OrderAction::Report(report) => kind::Action::ReportOrder(report.into()),
    }
}

fn trading_kind(action: &TradingAction) -> kind::Action {
    match action {
        TradingAction::Configure { draft, expected, tag, audit } => kind::Action::Configure(log::Configure {
            configuration: Some(draft.into()),
            expected: expected.map(|Revision(revision)| u128_bytes(revision)),
            tag: tag.to_string(),
            audit: Some((&**audit).into()),
        }),
        TradingAction::SetKillSwitch { subject, engaged, audit } => {
            kind::Action::SetKillSwitch(log::SetKillSwitch {
                subject: Some(subject.into()),
                engaged: *engaged,
                audit: Some((&**audit).into()),
            })
        }
        TradingAction::SetMode { subject, mode, audit } => kind::Action::SetMode(log::SetMode {
            subject: Some(subject.into()),
            mode: log::TradingMode::from(*mode).into(),
            audit: Some((&**audit).into()),
        }),
        TradingAction::SetBreaker { venue, forced_open, audit } => {
            kind::Action::SetBreaker(log::SetBreaker {
                venue: venue.to_string(),
                forced_open: *forced_open,
                audit: Some((&**audit).into()),
            })
        }
        TradingAction::RecordReconciled { account, term } => {
            kind::Action::RecordReconciled(log::RecordReconciled {
                account: account.to_string(),
                term: *term,
            })
        }
        TradingAction::RollDay(Day(day)) => kind::Action::RollDay(log::RollDay { day: *day }),
    }
}

/// An action of a transaction. Only the transaction has a name, and whether an action may be in one is for `domain` to
/// say; but one inside another could be nested without end.
fn part(command: log::Command) -> Result<Action, DecodeError> {
    match command {
        log::Command { once: Some(_), .. } => Err(DecodeError::new("Transaction.actions", "one has a name")),
        log::Command { action: Some(kind::Action::Transaction(_)), .. } => {
            Err(DecodeError::new("Transaction.actions", "one is a transaction"))
        }
        log::Command { once: None, action } => required("Transaction.actions", action)?.try_into(),
    }
}
