//! What became of what was asked of an order.

use domain::Serial;
use domain::orders::command::{OrderAnswer, Signing};

use crate::error::required;
use crate::log::order_answer::Answer as Kind;
use crate::order::order_of;
use crate::order::reason::reasons_of;
use crate::order::report::client_of;
use crate::{DecodeError, log};

impl From<&OrderAnswer> for log::OrderAnswer {
    fn from(answer: &OrderAnswer) -> Self {
        let reasons = |reasons: &[domain::orders::Reason]| reasons.iter().map(Into::into).collect();
        let kind = match answer {
            OrderAnswer::Authorized { order, signing } => {
                Kind::Authorized(log::Authorized { order: order.0.0, signing: Some(signing.into()) })
            }
            OrderAnswer::Held { order, reasons: why } => {
                Kind::Held(log::Held { order: order.0.0, reasons: reasons(why) })
            }
            OrderAnswer::Existing { order } => Kind::Existing(order.0.0),
            OrderAnswer::Canceling { order, attempt, signing } => Kind::Canceling(log::Canceling {
                order: order.0.0,
                attempt: attempt.0,
                signing: Some(signing.into()),
            }),
            OrderAnswer::Withdrawn { order } => Kind::Withdrawn(order.0.0),
            OrderAnswer::Replacing { canceled, order, signing } => Kind::Replacing(log::Replacing {
                canceled: canceled.0.0,
                order: order.0.0,
                signing: Some(signing.into()),
            }),
            OrderAnswer::Denied { order, reasons: why } => {
                Kind::Denied(log::Denied { order: order.0.0, reasons: reasons(why) })
            }
            OrderAnswer::Refused { reasons: why } => Kind::Refused(log::Reasons { reasons: reasons(why) }),
            OrderAnswer::Reported { order } => Kind::Reported(order.0.0),
        };
        Self { answer: Some(kind) }
    }
}

impl TryFrom<log::OrderAnswer> for OrderAnswer {
    type Error = DecodeError;

    fn try_from(answer: log::OrderAnswer) -> Result<Self, DecodeError> {
        let signing = |signing: Option<log::Signing>| required("OrderAnswer.signing", signing)?.try_into();
        Ok(match required("OrderAnswer.answer", answer.answer)? {
            Kind::Authorized(log::Authorized { order, signing: signed }) => {
                Self::Authorized { order: order_of(order), signing: signing(signed)? }
            }
            Kind::Held(log::Held { order, reasons }) => {
                Self::Held { order: order_of(order), reasons: reasons_of(reasons)? }
            }
            Kind::Existing(order) => Self::Existing { order: order_of(order) },
            Kind::Canceling(log::Canceling { order, attempt, signing: signed }) => Self::Canceling {
                order: order_of(order),
                attempt: Serial(attempt),
                signing: signing(signed)?,
            },
            Kind::Withdrawn(order) => Self::Withdrawn { order: order_of(order) },
            Kind::Replacing(log::Replacing { canceled, order, signing: signed }) => Self::Replacing {
                canceled: order_of(canceled),
                order: order_of(order),
                signing: signing(signed)?,
            },
            Kind::Denied(log::Denied { order, reasons }) => {
                Self::Denied { order: order_of(order), reasons: reasons_of(reasons)? }
            }
            Kind::Refused(log::Reasons { reasons }) => Self::Refused { reasons: reasons_of(reasons)? },
            Kind::Reported(order) => Self::Reported { order: order_of(order) },
        })
    }
}

impl From<&Signing> for log::Signing {
    fn from(signing: &Signing) -> Self {
        let Signing { client_order_id, wall_ms, window_ms } = *signing;
        let client_order_id = client_order_id.map_or_else(String::new, |client| client.to_string());
        Self { client_order_id, wall_ms, window_ms }
    }
}

impl TryFrom<log::Signing> for Signing {
    type Error = DecodeError;

    fn try_from(signing: log::Signing) -> Result<Self, DecodeError> {
        let log::Signing { client_order_id: client, wall_ms, window_ms } = signing;
        let named = !client.is_empty();
        let client_order_id = named.then(|| client_of("Signing.client_order_id", &client)).transpose()?;
        Ok(Self { client_order_id, wall_ms, window_ms })
    }
}
