//! Threads for work that takes a processor for long: few at once, few that wait, and none for a caller who has gone.
//! They stay the same: the reader's expressions keep what they work with by thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use jiyao_fault::{Fault, Reason, Result};
use tokio::sync::oneshot;

type Work = Box<dyn FnOnce() + Send>;

/// Whether somebody still waits for a piece of work.
#[derive(Clone, Debug, Default)]
pub struct Interest(Arc<AtomicBool>);

impl Interest {
    /// Nobody does any more: what goes on is for nothing.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Ends the interest when the caller's future goes, however it goes.
struct Waiting(Interest);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// Threads for one kind of work, with a queue of their own. They begin with the first of it.
#[derive(Clone)]
pub struct Workers {
    give: SyncSender<Work>,
    idle: Arc<Mutex<Option<Idle>>>,
}

/// Threads that have not begun.
struct Idle {
    name: &'static str,
    at_once: usize,
    take: Receiver<Work>,
}

impl Idle {
    fn begin(self) -> std::io::Result<()> {
        let take = Arc::new(Mutex::new(self.take));
        for _ in 0..self.at_once {
            let take = Arc::clone(&take);
            std::thread::Builder::new().name(self.name.to_owned()).spawn(move || {
                loop {
                    let next = take.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(work) = next else { return };
                    // The caller hears that there is no answer.
                    let _ = catch_unwind(AssertUnwindSafe(work));
                }
            })?;
        }
        Ok(())
    }
}

impl Workers {
    /// `at_once` threads before a queue of `waiting` pieces of work.
    #[must_use]
    pub fn new(name: &'static str, at_once: usize, waiting: usize) -> Self {
        let (give, take) = sync_channel::<Work>(waiting);
        Self { give, idle: Arc::new(Mutex::new(Some(Idle { name, at_once, take }))) }
    }

    /// Has a thread do this, and waits for it. Work that waits when its caller goes is not begun; work that is under way
    /// sees it by its [`Interest`].
    ///
    /// # Errors
    /// `BUSY` where the queue is full; `INTERNAL` where the system has no thread for it; those of the work.
    pub async fn have<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Interest) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let interest = Interest::default();
        let _waiting = Waiting(interest.clone());
        let (reply, done) = oneshot::channel();
        let work = move || {
            if !interest.is_over() {
                // The caller may have gone.
                let _ = reply.send(work(&interest));
            }
        };
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        idle.map_or(Ok(()), Idle::begin).map_err(Fault::internal)?;
        self.give.try_send(Box::new(work)).map_err(|e| match e {
            TrySendError::Full(_) => Fault::new(Reason::Busy),
            TrySendError::Disconnected(_) => Fault::internal("no worker is left"),
        })?;
        done.await.map_err(Fault::internal)?
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    async fn ends(interest: &Interest) {
        let until = Instant::now() + Duration::from_secs(10);
        while !interest.is_over() && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(interest.is_over());
    }

    #[tokio::test]
    async fn a_full_queue_says_so_and_work_ends_with_its_caller() {
        let workers = Workers::new("test", 1, 2);
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let long = |n: u32| {
            let (workers, tell) = (workers.clone(), tell.clone());
            tokio::spawn(async move {
                let work = move |interest: &Interest| {
                    tell.send((n, interest.clone())).unwrap();
                    while !interest.is_over() {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    Ok(())
                };
                workers.have(work).await.map_err(|fault| fault.reason())
            })
        };
        let first = long(1);
        let (_, interest) = told.recv().await.unwrap();
        let (second, third) = (long(2), long(3));
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(long(4).await.unwrap(), Err(Reason::Busy));
        // Those that wait go first, then the one under way: none of them is begun.
        second.abort();
        third.abort();
        let _ = (second.await, third.await);
        first.abort();
        ends(&interest).await;
        assert_eq!(workers.have(|_| Ok(7)).await.unwrap(), 7);
        assert!(told.try_recv().is_err(), "nobody waited for them any more");
    }

    #[tokio::test]
    async fn work_that_panics_takes_no_thread_along() {
        let workers = Workers::new("test", 1, 1);
        let refused = workers.have(|_| -> Result<()> { panic!("a bug") }).await.unwrap_err();
        assert_eq!(refused.reason(), Reason::Internal);
        assert_eq!(workers.have(|_| Ok(1)).await.unwrap(), 1);
    }
}
