//! Where scripts run: away from the thread that serves the clients, in two lanes.
//!
//! Whatever a script may do, others go on. It has a few milliseconds among the quick, of whom several run at a time; what
//! takes longer is ended, has done nothing, and runs again from its beginning among the slow, one at a time, with the
//! whole of its time. So a flood of scripts that never end holds up only others of their kind.

use std::sync::Arc;

use lua::{Clock, Engine, Limit, Limits};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot};

use crate::Error;
use crate::limits::{QUICK_SCRIPT_TIME, QUICK_SCRIPTS_MAX, SLOW_SCRIPTS_MAX};
use crate::metrics::{Count, Metrics};
use crate::overlay::Stop;

/// Runs work that takes a processor for long, on a thread of its own.
pub type Aside = Arc<dyn Fn(Box<dyn FnOnce() + Send>) + Send + Sync>;

pub(crate) struct Lanes {
    quick: Lane,
    slow: Lane,
}

struct Lane {
    aside: Aside,
    clock: Clock,
    limits: Limits,
    places: Semaphore,
    /// At rest: as many as there are places at most.
    engines: Arc<Mutex<Vec<Engine>>>,
}

impl Lanes {
    pub(crate) fn new(aside: &Aside, clock: &Clock) -> Self {
        let lane = |limits, places| Lane {
            aside: aside.clone(),
            clock: clock.clone(),
            limits,
            places: Semaphore::new(places),
            engines: Arc::default(),
        };
        Self {
            quick: lane(Limits { time: QUICK_SCRIPT_TIME, ..Limits::default() }, QUICK_SCRIPTS_MAX),
            slow: lane(Limits::default(), SLOW_SCRIPTS_MAX),
        }
    }

    /// Runs work that can begin anew: among the quick, and if that was too slow, among the slow. `work` is told whether it
    /// is in time.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        metrics: &Metrics,
        work: impl Fn(&mut Engine, &dyn Fn() -> bool) -> Result<T, Stop> + Clone + Send + 'static,
    ) -> Result<T, Error> {
        match self.quick.run(work.clone()).await {
            Err(Stop::Time) => metrics.scripts_slow.add(1),
            Err(Stop::Error(error)) => return Err(error),
            Ok(done) => return Ok(done),
        }
        self.slow.run(work).await.map_err(|stop| match stop {
            Stop::Time => Error::TookTooLong,
            Stop::Error(error) => error,
        })
    }
}

impl Lane {
    /// Waits for a place and runs the work there.
    async fn run<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Engine, &dyn Fn() -> bool) -> Result<T, Stop> + Send + 'static,
    ) -> Result<T, Stop> {
        let stopping = || Stop::Error(Error::Overloaded("the node is stopping"));
        let _place = self.places.acquire().await.map_err(|_| stopping())?;
        let (done, result) = oneshot::channel();
        let engines = self.engines.clone();
        let engine = engines.lock().pop();
        let mut engine = engine.unwrap_or_else(|| Engine::new(self.clock.clone(), self.limits));
        let (clock, time) = (self.clock.clone(), self.limits.time);
        (self.aside)(Box::new(move || {
            let end = clock() + time;
            let worked = work(&mut engine, &|| clock() <= end);
            // Whoever asked may want back what the work has borrowed.
            drop(work);
            engines.lock().push(engine);
            let _ = done.send(worked);
        }));
        result.await.unwrap_or_else(|_| Err(stopping()))
    }
}

impl From<lua::Error> for Stop {
    fn from(error: lua::Error) -> Self {
        match error {
            lua::Error::Ended { limit: Limit::Time | Limit::Steps, .. } => Self::Time,
            error => Self::Error(Error::Custom(error.to_string())),
        }
    }
}
