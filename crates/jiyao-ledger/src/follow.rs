//! How others see the journal: integration events after a cursor, then whatever comes.

use std::time::Duration;

use jiyao_fault::{Fault, Reason, Result};
use jiyao_journal::{Cursor, Log};
use jiyao_proto::journal::v1::Event;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::domain::Domain;
use crate::erasure;
use crate::ledger::{Ledger, damaged, decode_record};
use crate::writer::timestamp;

/// Most records of one stretch.
const STRETCH: u64 = 128;
/// Without news, a checkpoint this often: it keeps the stream alive through what would cut an idle one.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// Stretches read ahead of a slow follower.
const AHEAD: usize = 2;

/// What happened in (`from`, `through`].
#[derive(Clone, Debug)]
pub struct Stretch {
    /// Exclusive start.
    pub from: u64,
    /// Inclusive end: resume after it.
    pub through: Cursor,
    /// Public events, oldest first.
    pub events: Vec<Event>,
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
        let domain = self.inner.domain.clone();
        let mut progress = self.inner.progress.clone();
        tokio::spawn(async move {
            let mut at = start;
            loop {
                let head = *progress.borrow_and_update();
                let (reading, domain_here, from) = (log.clone(), domain.clone(), at.sequence);
                let to = head.min(from.saturating_add(STRETCH));
                let read = move || stretch(domain_here.as_ref(), &reading, from, to);
                let next = match tokio::task::spawn_blocking(read).await {
                    Ok(next) => next,
                    Err(e) => Err(Fault::internal(e)),
                };
                if let Ok(stretch) = &next {
                    at = stretch.through;
                }
                let failed = next.is_err();
                if send.send(next).await.is_err() || failed {
                    return;
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
    let forked =
        || Fault::new(Reason::JournalForked).with("sequence", cursor.sequence).with("head", head.sequence);
    if cursor.sequence > head.sequence {
        return Err(forked());
    }
    let here = log.cursor_at(cursor.sequence).map_err(damaged)?;
    if here.hash == cursor.hash { Ok(()) } else { Err(forked()) }
}

fn stretch<D: Domain>(domain: &D, log: &Log, from: u64, to: u64) -> Result<Stretch> {
    let mut events = Vec::new();
    let mut next = from + 1;
    while next <= to {
        let records = log.read_some(next, to).map_err(damaged)?;
        next += records.len() as u64;
        for record in records {
            let Some(payload) = record.payload else { continue };
            let (sequence, record_time) = (record.sequence, Some(timestamp(record.time_ms)));
            for event in decode_record(&payload)?.events {
                let kinds = match erasure::public(&event)? {
                    Some(kinds) => kinds,
                    None => domain.public(&event)?,
                };
                events.extend(kinds.into_iter().map(|kind| Event {
                    sequence,
                    record_time,
                    kind: Some(kind),
                }));
            }
        }
    }
    Ok(Stretch { from, through: log.cursor_at(to.max(from)).map_err(damaged)?, events })
}
