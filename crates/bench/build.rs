//! Generates the client of etcd from the part of its interface that is kept here, without protoc.

use std::error::Error;

const ROOT: &str = "proto";
const FILE: &str = "etcd.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={ROOT}");
    let descriptors = protox::compile([FILE], [ROOT])?;
    tonic_prost_build::configure().build_server(false).bytes(".").compile_fds(descriptors)?;
    Ok(())
}
