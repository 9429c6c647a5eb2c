//! What became of what was asked of the records of trading.

use domain::trading::command::TradingAnswer;
use domain::trading::configuration::{Problem, Revision};
use domain::trading::switch::Switched;

use crate::error::{known, required, u128_of};
use crate::log::trading_answer::Answer as Kind;
use crate::record::u128_bytes;
use crate::{DecodeError, log};

impl From<&TradingAnswer> for log::TradingAnswer {
    fn from(answer: &TradingAnswer) -> Self {
        let problem = |Problem { at, what }: &Problem| log::Problem { at: at.clone(), what: what.clone() };
        let kind = match answer {
            TradingAnswer::Configured { changes, revision } => {
                Kind::Configured(log::Configured { changes: *changes, revision: u128_bytes(revision.0) })
            }
            TradingAnswer::Misconfigured { problems } => {
                Kind::Misconfigured(log::Problems { problems: problems.iter().map(problem).collect() })
            }
            TradingAnswer::Switched(switched) => Kind::Switched(log::Switched::from(*switched).into()),
            TradingAnswer::Unknown => Kind::Switched(log::Switched::Unknown.into()),
            TradingAnswer::Stale => Kind::Switched(log::Switched::Stale.into()),
            TradingAnswer::Unexplained => Kind::Switched(log::Switched::Unexplained.into()),
        };
        Self { answer: Some(kind) }
    }
}

impl From<Switched> for log::Switched {
    fn from(switched: Switched) -> Self {
        match switched {
            Switched::Changed => Self::Changed,
            Switched::Unchanged => Self::Unchanged,
            Switched::Full => Self::Full,
        }
    }
}

impl TryFrom<log::TradingAnswer> for TradingAnswer {
    type Error = DecodeError;

    fn try_from(answer: log::TradingAnswer) -> Result<Self, DecodeError> {
        let problem = |log::Problem { at, what }| Problem { at, what };
        Ok(match required("TradingAnswer.answer", answer.answer)? {
            Kind::Configured(log::Configured { changes, revision }) => {
                Self::Configured { changes, revision: Revision(u128_of("Configured.revision", &revision)?) }
            }
            Kind::Misconfigured(log::Problems { problems }) => {
                Self::Misconfigured { problems: problems.into_iter().map(problem).collect() }
            }
            Kind::Switched(switched) => match known("TradingAnswer.switched", switched)? {
                log::Switched::Unspecified => {
                    return Err(DecodeError::new("TradingAnswer.switched", "unspecified"));
                }
                log::Switched::Changed => Self::Switched(Switched::Changed),
                log::Switched::Unchanged => Self::Switched(Switched::Unchanged),
                log::Switched::Full => Self::Switched(Switched::Full),
                log::Switched::Unknown => Self::Unknown,
                log::Switched::Stale => Self::Stale,
                log::Switched::Unexplained => Self::Unexplained,
            },
        })
    }
}
