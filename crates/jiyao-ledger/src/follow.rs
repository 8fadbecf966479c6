//! How others see the journal: integration events after a cursor, then whatever comes.

use std::sync::Arc;
use std::time::Duration;

use jiyao_fault::{Fault, Reason, Result};
use jiyao_journal::{Cursor, Log};
use jiyao_proto::journal::v1::{Event, FollowResponse};
use prost::Message as _;
use prost::bytes::Bytes;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::domain::Domain;
use crate::ledger::{Ledger, Slot, damaged};
use crate::public;

/// Without news, a checkpoint this often: it keeps the stream alive through what would cut an idle one.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// Stretches that are read by one visit to a thread that may block.
const AT_ONCE: usize = 16;
/// Stretches that wait for a follower: while they are sent the next are read.
const AHEAD: usize = AT_ONCE;

/// What happened in (`from`, `through`].
#[derive(Clone, Debug)]
pub struct Stretch {
    /// Exclusive start.
    pub from: u64,
    /// Inclusive end: resume after it.
    pub through: Cursor,
    /// Public events, oldest first: an encoded [`FollowResponse`] that has nothing else.
    pub encoded: Bytes,
}

impl Stretch {
    /// Its events, decoded.
    ///
    /// # Errors
    /// `INTERNAL`.
    pub fn events(&self) -> Result<Vec<Event>> {
        FollowResponse::decode(self.encoded.clone()).map(|reply| reply.events).map_err(Fault::internal)
    }
}

impl<D: Domain> Ledger<D> {
    /// Everything after a cursor (None: from the beginning), as it comes onto the disk; ends when the ledger closes.
    ///
    /// # Errors
    /// `CURSOR_FOREIGN`, `JOURNAL_FORKED`; in the stream `RECORD_DAMAGED`, `INTERNAL`.
    pub fn follow(&self, after: Option<Cursor>) -> Result<ReceiverStream<Result<Stretch>>> {
        let log = self.inner.log.clone();
        let start = match after {
            None => log.cursor_at(0).map_err(damaged)?,
            Some(cursor) => {
                check(&log, &cursor)?;
                cursor
            }
        };
        let (send, receive) = mpsc::channel(AHEAD);
        let domain = Arc::clone(&self.inner.domain);
        let slot = Arc::clone(&self.inner.state);
        let mut progress = self.inner.progress.clone();
        tokio::spawn(async move {
            let mut at = start;
            loop {
                let head = *progress.borrow_and_update();
                let (log, domain, slot, from) = (log.clone(), domain.clone(), slot.clone(), at.sequence);
                let read = move || stretches(domain.as_ref(), &log, &slot, from, head);
                let found = tokio::task::spawn_blocking(read).await;
                for next in found.unwrap_or_else(|e| vec![Err(Fault::internal(e))]) {
                    if let Ok(stretch) = &next {
                        at = stretch.through;
                    }
                    let failed = next.is_err();
                    if send.send(next).await.is_err() || failed {
                        return;
                    }
                }
                if at.sequence >= head {
                    let news = async { progress.wait_for(|reached| *reached > at.sequence).await.is_ok() };
                    tokio::select! {
                        open = tokio::time::timeout(HEARTBEAT, news) => {
                            if open == Ok(false) {
                                return;
                            }
                        }
                        () = left(&send) => return,
                    }
                }
            }
        });
        Ok(ReceiverStream::new(receive))
    }
}

/// Returns when nobody follows any more.
#[cfg(not(shuttle))]
async fn left<T>(follower: &mpsc::Sender<T>) {
    follower.closed().await;
}

/// Shuttle's channels do not say.
#[cfg(shuttle)]
async fn left<T>(_: &mpsc::Sender<T>) {
    std::future::pending().await
}

fn check(log: &Log, cursor: &Cursor) -> Result<()> {
    let head = log.head();
    if cursor.journal != head.journal {
        let fault = Fault::new(Reason::CursorForeign).at("after.journal");
        return Err(fault.with("journal", head.journal).with("cursor_journal", cursor.journal));
    }
    let forked = || {
        let fault = Fault::new(Reason::JournalForked).with("journal", head.journal);
        fault.with("sequence", cursor.sequence).with("head", head.sequence)
    };
    if cursor.sequence > head.sequence {
        return Err(forked());
    }
    let here = log.cursor_at(cursor.sequence).map_err(damaged)?;
    if here.hash == cursor.hash { Ok(()) } else { Err(forked()) }
}

/// The next stretches, as many as one look gives; after a fault none.
fn stretches<D: Domain>(domain: &D, log: &Log, slot: &Slot, from: u64, head: u64) -> Vec<Result<Stretch>> {
    let mut found = Vec::new();
    let mut from = from;
    while found.len() < AT_ONCE {
        let to = head.min(public::end_of_block(from)).max(from);
        let events = match public::kept(slot, from, to) {
            Some(events) => Ok((events, to)),
            None => public::read(domain, log, from, to),
        };
        let stretch = events.and_then(|(events, through)| {
            let through = log.cursor_at(through).map_err(damaged)?;
            Ok(Stretch { from, through, encoded: events.into() })
        });
        let end = stretch.as_ref().map_or(head, |stretch| stretch.through.sequence);
        found.push(stretch);
        if end >= head {
            break;
        }
        from = end;
    }
    found
}
