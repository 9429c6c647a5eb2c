//! Machines on one switch: each a network namespace, the switch another, with a bridge.
//!
//! Invariants: nothing of this is in the namespaces of whoever asked for it. All that is started, mounted and connected lives
//! in namespaces of processes, mounts and network that the kernel clears away with the first process in them, and that process
//! goes with its starter, however that ends.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::run::quietly;
use crate::tools::is_root;

/// Their numbers, from 1 on.
pub(super) const MACHINES: [u8; 3] = [1, 2, 3];

const MISSING: &str = "install it (Debian: apt-get install util-linux iproute2 mount)";

/// A program apart from all that is here: it is the first process of its own namespaces.
pub(super) fn apart(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    // Also of a starter that was killed, so that there need be no handler of signals.
    command.args(["--pdeathsig", "KILL", "unshare", "--net", "--pid", "--mount-proc", "--fork"]);
    command.arg("--kill-child");
    if !is_root() {
        command.arg("--map-root-user");
    }
    command.arg(program);
    command
}

/// Whether [`apart`] works here, and the programs that lay the network are there.
pub(super) fn check() -> Result<()> {
    for (program, version) in [("setpriv", "-V"), ("unshare", "-V"), ("mount", "-V"), ("ip", "-V")] {
        if quietly(Command::new(program).arg(version)).is_err() {
            bail!("{program} is not there; {MISSING}");
        }
    }
    quietly(&mut apart(Path::new("true"))).context(
        "machines are namespaces of processes, mounts and network, and these cannot be made here; run this as root, in a \
         container as a privileged one",
    )
}

/// The machines, connected.
pub(super) struct Network;

impl Network {
    /// To be called once, by a process that is [`apart`].
    pub(super) fn lay() -> Result<Self> {
        ensure!(std::process::id() == 1, "the network is laid by the first process of namespaces of its own");
        // The names of namespaces are files below it.
        quietly(Command::new("mount").args(["-t", "tmpfs", "tmpfs", "/run"]))?;
        ip("netns add switch")?;
        ip("-n switch link add bridge type bridge")?;
        ip("-n switch link set bridge up")?;
        for machine in MACHINES {
            let name = name(machine);
            ip(&format!("netns add {name}"))?;
            ip(&format!("-n switch link add {name} type veth peer name eth0 netns {name}"))?;
            ip(&format!("-n switch link set {name} master bridge up"))?;
            ip(&format!("-n {name} addr add {}/24 dev eth0", address(machine)))?;
            ip(&format!("-n {name} link set lo up"))?;
            ip(&format!("-n {name} link set eth0 up"))?;
        }
        Ok(Self)
    }

    /// A program on a machine.
    pub(super) fn on(&self, machine: u8, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &name(machine)]).arg(program);
        command
    }

    /// From now on what a machine sends is lost in the switch, and nothing reaches it. Its own cable is fine.
    pub(super) fn cut(&self, machine: u8) -> Result<()> {
        ip(&format!("-n switch link set {} nomaster", name(machine)))
    }

    pub(super) fn heal(&self, machine: u8) -> Result<()> {
        ip(&format!("-n switch link set {} master bridge", name(machine)))
    }
}

/// The addresses that the files in `cluster` have.
pub(super) fn address(machine: u8) -> String {
    format!("10.0.0.{machine}")
}

fn name(machine: u8) -> String {
    format!("machine{machine}")
}

fn ip(arguments: &str) -> Result<()> {
    quietly(Command::new("ip").args(arguments.split(' ')))
}
