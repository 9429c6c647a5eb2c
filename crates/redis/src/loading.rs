//! `SCRIPT LOAD` and `SCRIPT FLUSH`: the log decides them, so that a script whose load was acknowledged is found through
//! every node.

use domain::{Action, Answer, Refusal, Script};

use crate::group::{Group, Look};
use crate::plan::Plan;
use crate::{Error, Failure, Reply};

// What the engine takes may be loaded.
const _: () = assert!(lua::limits::SOURCE_BYTES_MAX <= domain::limits::SCRIPT_BYTES_MAX);

pub(crate) enum Loading {
    Load(Script),
    Flush,
}

impl Loading {
    pub(crate) async fn execute<G: Group>(self, group: &G) -> Reply {
        self.try_execute(group).await.unwrap_or_else(Reply::Error)
    }

    async fn try_execute<G: Group>(self, group: &G) -> Result<Reply, Error> {
        // What is there needs no entry of the log: clients load their scripts at every start.
        if let Self::Load(script) = &self
            && group.read().await?.look(|view| view.scripts.contains(&script.sha()))
        {
            return Ok(named(script));
        }
        let result = group.propose(vec![self.action()]).await.pop().unwrap_or(Err(Failure::Unknown));
        if matches!((&self, &result), (Self::Flush, Ok(_))) {
            // Until this node has applied it, what it is asked to remember would be of before the flush.
            let _ = group.read().await;
        }
        Ok(self.reply(result))
    }

    /// As a part of a transaction, which is an entry anyway.
    pub(crate) fn into_write(self) -> Plan {
        let actions = vec![self.action()];
        let reply = move |mut results: Vec<_>| self.reply(results.pop().unwrap_or(Err(Failure::Unknown)));
        Plan::Write { actions, reply: Box::new(reply) }
    }

    fn action(&self) -> Action {
        match self {
            Self::Load(script) => Action::LoadScript(script.clone()),
            Self::Flush => Action::FlushScripts,
        }
    }

    fn reply(&self, result: Result<Answer, Failure>) -> Reply {
        match (self, result) {
            (Self::Load(script), Ok(Answer::Changed(_))) => named(script),
            (Self::Flush, Ok(Answer::Count(_))) => Reply::OK,
            (_, Ok(Answer::Refused(Refusal::Full))) => Error::ScriptsFull.into(),
            (_, Ok(Answer::Refused(refusal))) => Error::refused("script", refusal).into(),
            (_, Ok(answer)) => Error::unexpected("script", &answer).into(),
            (_, Err(failure)) => Error::from(failure).into(),
        }
    }
}

fn named(script: &Script) -> Reply {
    Reply::text(script.sha().to_string())
}

#[cfg(test)]
mod tests {
    use domain::{Action, Script};

    use crate::Failure;
    use crate::options::Options;
    use crate::testing::Bench;

    const SHA: &str = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";

    /// Another node of the same group.
    fn load_elsewhere(bench: &Bench) {
        bench.model.apply(Action::LoadScript(Script::new(*b"return 1")));
    }

    #[test]
    fn what_was_loaded_through_another_node_is_found_here() {
        let mut bench = Bench::new(Options::default());
        assert!(bench.say(&format!("EVALSHA {SHA} 0")).starts_with("-NOSCRIPT"));
        assert_eq!(bench.say(&format!("SCRIPT EXISTS {SHA}")), r"*1\r\n:0\r\n");
        load_elsewhere(&bench);
        assert_eq!(bench.say(&format!("SCRIPT EXISTS {SHA}")), r"*1\r\n:1\r\n");
        for request in ["EVALSHA", "EVALSHA_RO"] {
            assert_eq!(bench.say(&format!("{request} {SHA} 0")), r":1\r\n");
        }
        for request in ["MULTI".to_owned(), format!("EVALSHA {SHA} 0"), "INCR n".to_owned()] {
            bench.say(&request);
        }
        assert_eq!(bench.say("EXEC"), r"*2\r\n:1\r\n:1\r\n");
    }

    #[test]
    fn what_is_there_is_loaded_without_an_entry() {
        let mut bench = Bench::new(Options::default());
        let named = format!(r"$40\r\n{SHA}\r\n");
        assert_eq!(bench.say("SCRIPT LOAD \"return 1\""), named);
        assert_eq!(bench.model.proposals(), [1]);
        assert_eq!(bench.say("SCRIPT LOAD \"return 1\""), named);
        assert_eq!(bench.model.proposals(), [1]);
    }

    #[test]
    fn a_flush_elsewhere_is_one_here() {
        let mut bench = Bench::new(Options::default());
        bench.say("SCRIPT LOAD \"return 1\"");
        bench.eval("return 2", &[], &[]);
        bench.model.apply(Action::FlushScripts);
        let other = Script::new(*b"return 2").sha();
        assert_eq!(bench.say(&format!("SCRIPT EXISTS {SHA} {other}")), r"*2\r\n:0\r\n:0\r\n");
        for sha in [SHA, &other.to_string()] {
            assert!(bench.say(&format!("EVALSHA {sha} 0")).starts_with("-NOSCRIPT"));
        }
        bench.eval("return 2", &[], &[]);
        assert_eq!(bench.say(&format!("EVALSHA {other} 0")), r":2\r\n");
    }

    #[test]
    fn an_unknown_script_is_not_denied_without_a_quorum() {
        let mut bench = Bench::new(Options::default());
        bench.model.fail(Some(Failure::NoQuorum));
        for request in ["EVALSHA {} 0", "SCRIPT EXISTS {}", "SCRIPT LOAD \"return 1\"", "SCRIPT FLUSH"] {
            assert!(bench.say(&request.replace("{}", SHA)).starts_with("-LOADING"), "{request}");
        }
    }

    #[test]
    fn too_many_are_refused_and_can_still_be_run() {
        let mut bench = Bench::new(Options::default());
        for number in 0..domain::limits::SCRIPTS_MAX {
            bench.model.apply(Action::LoadScript(Script::new(number.to_string().into_bytes())));
        }
        assert!(bench.say("SCRIPT LOAD \"return 1\"").starts_with("-OOM"));
        assert_eq!(bench.eval("return 1", &[], &[]), r":1\r\n");
        assert_eq!(bench.say("SCRIPT FLUSH"), r"+OK\r\n");
        assert!(bench.say("SCRIPT LOAD \"return 1\"").starts_with("$40"));
    }
}
