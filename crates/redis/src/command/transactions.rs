//! `MULTI`, `EXEC`, `DISCARD`, `WATCH`, `UNWATCH`.

use domain::Guard;
use domain::limits::TRANSACTION_GUARDS_MAX;

use super::Call;
use crate::plan::Plan;
use crate::transaction::{Queue, Transaction};
use crate::{Error, Reply};

pub(super) fn multi(call: &mut Call<'_>) -> Result<Plan, Error> {
    if call.session.queue.is_some() {
        return Err(Error::MultiNested);
    }
    call.session.queue = Some(Queue::default());
    Ok(Plan::ok())
}

pub(super) fn discard(call: &mut Call<'_>) -> Result<Plan, Error> {
    call.session.queue.take().ok_or(Error::WithoutMulti("DISCARD"))?;
    call.session.unwatch();
    Ok(Plan::ok())
}

pub(super) fn exec(call: &mut Call<'_>) -> Result<Plan, Error> {
    let queue = call.session.queue.take().ok_or(Error::WithoutMulti("EXEC"))?;
    let watched = call.session.unwatch();
    if queue.broken {
        return Err(Error::ExecAborted);
    }
    let parts = queue.requests.into_iter();
    let parts = parts.map(|(place, arguments)| call.session.part(call.node, place, arguments)).collect();
    Ok(Plan::Transaction(Transaction { watched, parts }))
}

/// The look is a quorum round: what it sees is what the group had decided when the client asked.
pub(super) fn watch(call: &mut Call<'_>) -> Result<Plan, Error> {
    if call.session.queue.is_some() {
        return Err(Error::WatchInsideMulti);
    }
    let keys = call.arguments.keys(call.session.database)?;
    let watched = call.session.watched.clone();
    Ok(Plan::read(move |view| {
        let as_of = view.state.serial();
        let mut watched = watched.lock();
        if watched.len() + keys.len() > TRANSACTION_GUARDS_MAX {
            return Error::TooManyKeys.into();
        }
        for key in &keys {
            // The first look counts.
            let known = |guard: &Guard| matches!(guard, Guard::Key { key: of, .. } if of == key);
            if !watched.iter().any(known) {
                watched.push(Guard::Key { key: key.clone(), as_of });
            }
        }
        Reply::OK
    }))
}

pub(super) fn unwatch(call: &mut Call<'_>) -> Result<Plan, Error> {
    call.session.unwatch();
    Ok(Plan::ok())
}
