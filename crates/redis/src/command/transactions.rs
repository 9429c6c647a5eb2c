//! `MULTI`, `EXEC`, `DISCARD`, `WATCH`, `UNWATCH`.

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
    let watched = call.session.watched.clone();
    let keys =
        call.arguments.own_keys(call.session.database).inspect_err(|_| watched.lock().failed = true)?;
    Ok(Plan::Read(Box::new(move |view| match view {
        Ok(view) => watched.lock().add(&keys, view.state.serial()).map_or_else(Reply::Error, |()| Reply::OK),
        Err(failure) => {
            watched.lock().failed = true;
            Error::from(failure).into()
        }
    })))
}

pub(super) fn unwatch(call: &mut Call<'_>) -> Result<Plan, Error> {
    call.session.unwatch();
    Ok(Plan::ok())
}
