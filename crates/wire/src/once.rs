//! The names under which commands run once.

use bytes::Bytes;
use domain::LogTime;

use crate::error::{required, sixteen};
use crate::{DecodeError, log};

impl From<domain::RequestId> for log::RequestId {
    fn from(id: domain::RequestId) -> Self {
        use log::request_id::Id;
        let id = match id {
            domain::RequestId::Client(id) => Id::Client(Bytes::copy_from_slice(&id)),
            domain::RequestId::Node { incarnation, sequence } => {
                Id::Node(log::NodeRequestId { incarnation, sequence })
            }
        };
        Self { id: Some(id) }
    }
}

impl TryFrom<log::RequestId> for domain::RequestId {
    type Error = DecodeError;

    fn try_from(id: log::RequestId) -> Result<Self, DecodeError> {
        use log::request_id::Id;
        Ok(match required("RequestId.id", id.id)? {
            Id::Client(id) => Self::Client(sixteen("RequestId.client", &id)?),
            Id::Node(log::NodeRequestId { incarnation, sequence }) => Self::Node { incarnation, sequence },
        })
    }
}

impl From<domain::Once> for log::Once {
    fn from(once: domain::Once) -> Self {
        Self { id: Some(once.id.into()), valid_until_ns: once.valid_until.as_ns() }
    }
}

impl TryFrom<log::Once> for domain::Once {
    type Error = DecodeError;

    fn try_from(once: log::Once) -> Result<Self, DecodeError> {
        Ok(Self {
            id: required("Once.id", once.id)?.try_into()?,
            valid_until: LogTime::from_ns(once.valid_until_ns),
        })
    }
}
