//! The thread that waits for the disk, so that the one that writes can decide the next group meanwhile.

use std::io;
use std::time::{Duration, Instant};

use jiyao_journal::{Synced, Written};
#[cfg(shuttle)]
use shuttle::thread;
#[cfg(not(shuttle))]
use std::thread;
use tokio::sync::mpsc;

use crate::writer::end_for;

/// A group that the disk has, and how long writing and syncing took.
pub(crate) type Timed = (Synced, Duration);

/// Hands groups to the thread, one at a time, and takes them back.
pub(crate) struct Syncer {
    orders: mpsc::Sender<(Written, Instant)>,
    done: mpsc::Receiver<Timed>,
}

impl Syncer {
    /// Starts the thread. It ends with this.
    pub(crate) fn start() -> io::Result<Self> {
        let (orders, mut ordered) = mpsc::channel::<(Written, Instant)>(1);
        let (back, done) = mpsc::channel(1);
        thread::Builder::new().name("journal-syncer".to_owned()).spawn(move || {
            while let Some((written, began)) = ordered.blocking_recv() {
                others_have_turns();
                let synced = match written.sync() {
                    Ok(synced) => synced,
                    Err(e) => end_for("the journal cannot be synced", &e),
                };
                if back.try_send((synced, began.elapsed())).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { orders, done })
    }

    /// Begins to sync a group that began to be written then; the one before is back.
    pub(crate) fn begin(&self, written: Written, began: Instant) {
        if self.orders.try_send((written, began)).is_err() {
            end_for("the journal cannot be synced", &io::Error::other("the thread that does it is gone"));
        }
    }

    /// The group that was begun, once it is synced.
    pub(crate) async fn synced(&mut self) -> Timed {
        match self.done.recv().await {
            Some(synced) => synced,
            None => {
                end_for("the journal cannot be synced", &io::Error::other("the thread that does it is gone"))
            }
        }
    }
}

/// A sync is the longest wait there is; shuttle, which knows nothing of disks, is told so.
fn others_have_turns() {
    #[cfg(shuttle)]
    for _ in 0..16 {
        shuttle::thread::yield_now();
    }
}
