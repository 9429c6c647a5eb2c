//! Generates Rust from the .proto files, without protoc: protox parses them, tonic-prost-build writes the code.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use protox::prost::Message;

const ROOT: &str = "../../proto";

const FILES: [&str; 10] = [
    "tenure/v1/common.proto",
    "tenure/v1/cluster.proto",
    "tenure/v1/config.proto",
    "tenure/v1/lease.proto",
    "tenure/v1/order.proto",
    "tenure/log/v1/log.proto",
    "tenure/log/v1/audit.proto",
    "tenure/log/v1/order.proto",
    "tenure/log/v1/trading.proto",
    "tenure/peer/v1/peer.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={ROOT}");
    let mut descriptors = protox::compile(FILES, [ROOT])?;
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors.clone())?;

    // For server reflection. The comments have become documentation; whoever asks a server needs only the types.
    for file in &mut descriptors.file {
        file.source_code_info = None;
    }
    let out_dir = env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    fs::write(Path::new(&out_dir).join("descriptors.bin"), descriptors.encode_to_vec())?;
    Ok(())
}
