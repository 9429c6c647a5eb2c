//! Waiting for a condition, with a deadline.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Looks until there is something, at most for `limit`. An error of a look is told if it was the last.
pub async fn until<T, F, Fut>(limit: Duration, what: &str, mut look: F) -> Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Option<T>>>,
{
    let deadline = Instant::now() + limit;
    loop {
        let why = match look().await {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => None,
            Err(error) => Some(error),
        };
        if Instant::now() >= deadline {
            let why = why.unwrap_or_else(|| anyhow::anyhow!("it did not become true"));
            return Err(why).with_context(|| format!("waited {limit:?} for {what}"));
        }
        tokio::time::sleep(PAUSE).await;
    }
}
