//! Generated protobuf and service traits, conversions between them and `domain`, the one encoding of a command.
//!
//! Nothing here decides or does I/O: messages become domain values or a [`DecodeError`] that names what is
//! wrong, never a panic and never a silent default. No byte of a log entry or a snapshot is laid out elsewhere.
//!
//! Read in this order: [`v1`] (what clients and operators see), [`peer`] (between nodes), [`log`] (what the log
//! holds), then the conversions: [`command`], [`outcome`], their parts ([`key`], `value`, [`once`], [`record`]), and what
//! is made of them: [`payload`] (an entry of the log), [`image`] (the state in a snapshot) and [`rows`] (the same, a
//! row at a time).

mod ascending;
pub mod command;
pub mod error;
pub mod image;
pub mod key;
mod long;
pub mod once;
pub mod order;
pub mod outcome;
pub mod payload;
pub mod record;
pub mod rows;
pub mod trading;
mod transaction;
mod value;

pub use error::DecodeError;
pub use generated::tenure::log::v1 as log;
pub use generated::tenure::peer::v1 as peer;
pub use generated::tenure::v1;
pub use image::{StateDecoder, encode_state};
pub use payload::{FORMAT_VERSION, Payload, PayloadKind, decode_payload, encode_payload, payload_kind};
pub use record::{decode_history_record, encode_history_record};
pub use rows::{StoredRow, TABLES, encode_changes};

/// Every message and service above as a serialised `FileDescriptorSet`, for server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Nested as the packages are: the generated code refers to other packages by relative path.
#[allow(clippy::all, unreachable_pub, unused_qualifications)]
mod generated {
    pub mod tenure {
        pub mod v1 {
            tonic::include_proto!("tenure.v1");
        }
        pub mod log {
            pub mod v1 {
                tonic::include_proto!("tenure.log.v1");
            }
        }
        pub mod peer {
            pub mod v1 {
                tonic::include_proto!("tenure.peer.v1");
            }
        }
    }
}
