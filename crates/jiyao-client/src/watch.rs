//! Watches that resume by themselves.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use tonic::{Status, Streaming};

use crate::connection::{Connection, jittered, longer, may_repeat};
use crate::error::Error;
use crate::types::Position;

/// What a watch gives out: changes, and where it would resume.
#[derive(Clone, Debug, PartialEq)]
pub struct Watched<T> {
    /// Oldest first. Empty: nothing happened up to the position.
    pub changes: Vec<T>,
    /// All up to here was given out. Keep it to go on later with another watch.
    pub position: Position,
}

/// Answers of a service, None where one lacks what it must have.
type Answers<T> = Pin<Box<dyn Stream<Item = Result<Option<Watched<T>>, Status>> + Send>>;
pub(crate) type Opening<T> = Pin<Box<dyn Future<Output = Result<Answers<T>, Status>> + Send>>;
type Open<T> = Box<dyn Fn(&Connection, Option<Position>) -> Opening<T> + Send>;

/// A stream of the wire as what a watch gives out.
pub(crate) fn answers<W: 'static + Send, T: 'static>(
    stream: Streaming<W>,
    convert: impl Fn(W) -> Option<Watched<T>> + Send + 'static,
) -> Answers<T> {
    Box::pin(stream.map(move |answer| answer.map(&convert)))
}

/// An endless watch. Through a broken connection or a restart of the service it goes on behind the last change that it
/// gave out; an error is what cannot be waited out.
pub struct Watch<T> {
    connection: Connection,
    what: &'static str,
    open: Open<T>,
    position: Option<Position>,
    stream: Option<Answers<T>>,
    pause: Duration,
}

impl<T> Watch<T> {
    pub(crate) fn new(
        connection: Connection,
        what: &'static str,
        after: Option<Position>,
        open: Open<T>,
    ) -> Self {
        Self { connection, what, open, position: after, stream: None, pause: Duration::ZERO }
    }

    /// The next changes, or a checkpoint without any. Cancel-safe: what was not given out comes again.
    ///
    /// # Errors
    /// `CURSOR_FOREIGN`, `JOURNAL_FORKED`, and what else is not UNAVAILABLE.
    pub async fn next(&mut self) -> Result<Watched<T>, Error> {
        loop {
            let status = match &mut self.stream {
                None => {
                    tokio::time::sleep(jittered(self.pause)).await;
                    match (self.open)(&self.connection, self.position.clone()).await {
                        Ok(stream) => {
                            self.stream = Some(stream);
                            continue;
                        }
                        Err(status) => status,
                    }
                }
                Some(stream) => match stream.next().await {
                    Some(Ok(watched)) => {
                        let watched = watched.ok_or_else(|| self.connection.malformed(self.what))?;
                        self.position = Some(watched.position.clone());
                        self.pause = Duration::ZERO;
                        return Ok(watched);
                    }
                    // The service stops: it will be back.
                    None => Status::unavailable("the stream ended"),
                    Some(Err(status)) => status,
                },
            };
            self.stream = None;
            if !may_repeat(&status) {
                return Err(self.connection.failed(self.what, &status));
            }
            self.pause = longer(self.pause);
        }
    }
}
