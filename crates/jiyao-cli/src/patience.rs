//! Waiting for what a service has not heard of yet: services follow each other, a moment later.

use std::time::{Duration, Instant};

use clap::Args;
use jiyao_client::Error;
use jiyao_fault::Reason;

/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(200);
/// Refusals that pass by when another service's journal has been followed.
const PASSING: [Reason; 5] = [
    Reason::NotStated,
    Reason::NotCaughtUp,
    Reason::MinutesNotFound,
    Reason::ScopeNotFrozen,
    Reason::QuorumOpen,
];

/// How long to wait.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Patience {
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    wait: u64,
}

impl Patience {
    /// Calls until there is an answer that is enough, a refusal that does not pass by, or the time is over.
    pub(crate) async fn until<T>(
        self,
        call: impl AsyncFn() -> Result<T, Error>,
        is_enough: impl Fn(&T) -> bool,
    ) -> Result<T, Error> {
        let until = Instant::now() + Duration::from_secs(self.wait);
        loop {
            let answer = call().await;
            let is_done = match &answer {
                Ok(answer) => is_enough(answer),
                Err(e) => !e.reason().is_some_and(|reason| PASSING.contains(&reason)),
            };
            if is_done || Instant::now() >= until {
                return answer;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
