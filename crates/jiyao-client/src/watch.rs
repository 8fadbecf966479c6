//! Streams: watches that resume by themselves, and lists page after page.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use jiyao_proto::calls::{self, Homed, Paged, Resumes};
use tonic::{Status, Streaming};

use crate::connection::{Connection, RESPONSE_LIMIT, jittered, longer, may_repeat, name_of};
use crate::error::Error;
use crate::types::Position;
use crate::{Client, Service};

/// What a watch gives out: changes, and where it would resume.
#[derive(Clone, Debug, PartialEq)]
pub struct Watched<T> {
    /// Oldest first. Empty: nothing happened up to the position.
    pub changes: Vec<T>,
    /// All up to here was given out. Keep it to go on later with another watch.
    pub position: Position,
}

/// An endless stream. Through a broken connection or a restart of the service it goes on behind the last answer that it
/// gave out; an error is what cannot be waited out.
pub struct Watching<Q: Resumes> {
    connection: Connection,
    request: Q,
    stream: Option<Streaming<Q::Item>>,
    pause: Duration,
}

impl<Q: Resumes> fmt::Debug for Watching<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watching").field("method", &Q::METHOD.path).finish_non_exhaustive()
    }
}

impl Client {
    /// A stream of what a request watches, each answer the message as the service sent it.
    #[must_use]
    pub fn watch<Q: Resumes + Homed>(&self, request: Q) -> Watching<Q> {
        self.watch_at(Q::HOME.into(), request)
    }

    /// The same of a service that is named: each has a journal to follow.
    #[must_use]
    pub fn watch_at<Q: Resumes>(&self, service: Service, request: Q) -> Watching<Q> {
        let connection = self.of_service(service).clone();
        Watching { connection, request, stream: None, pause: Duration::ZERO }
    }

    /// A stream that ends by itself, such as a backup or a text in pieces, from a service that is named. What was sent when it
    /// breaks off is not all: nothing is repeated.
    ///
    /// # Errors
    /// A refusal; later ones are in the stream.
    pub async fn stream_at<Q: calls::Watch>(
        &self,
        service: Service,
        request: Q,
    ) -> Result<impl Stream<Item = Result<Q::Item, Error>> + Send, Error> {
        let connection = self.of_service(service).clone();
        let asked = connection.request(request, None);
        let opened = calls::watch(connection.channel(), asked, RESPONSE_LIMIT).await;
        let failed = move |status: Status| connection.failed(name_of(Q::METHOD), &status);
        Ok(opened.map_err(&failed)?.into_inner().map(move |item| item.map_err(&failed)))
    }

    /// The pages of a list, from the one that the request names to the last. Each is asked for when it is wanted; a page may
    /// be empty.
    pub fn pages<Q: Paged + Homed>(&self, request: Q) -> impl Stream<Item = Result<Q::Answer, Error>> + Send {
        let connection = self.of_service(Q::HOME.into()).clone();
        stream::try_unfold(Some(request), move |request| {
            let connection = connection.clone();
            async move {
                let Some(mut request) = request else { return Ok(None) };
                let answer = connection.call(request.clone()).await?;
                let next = Q::next_page_token(&answer).to_owned();
                let is_last = next.is_empty();
                *request.page_token() = next;
                Ok(Some((answer, (!is_last).then_some(request))))
            }
        })
    }
}

impl<Q: Resumes> Watching<Q> {
    /// The next answer. Cancel-safe: what was not given out comes again.
    ///
    /// # Errors
    /// `CURSOR_FOREIGN`, `JOURNAL_FORKED`, and what else is not UNAVAILABLE.
    pub async fn next(&mut self) -> Result<Q::Item, Error> {
        loop {
            let status = match &mut self.stream {
                None => {
                    tokio::time::sleep(jittered(self.pause)).await;
                    let request = self.connection.request(self.request.clone(), None);
                    match calls::watch(self.connection.channel(), request, RESPONSE_LIMIT).await {
                        Ok(stream) => {
                            self.stream = Some(stream.into_inner());
                            continue;
                        }
                        Err(status) => status,
                    }
                }
                Some(stream) => match stream.message().await {
                    Ok(Some(item)) => {
                        let reached = Q::through(&item).cloned();
                        let malformed = || self.connection.malformed(name_of(Q::METHOD));
                        *self.request.after() = Some(reached.ok_or_else(malformed)?);
                        self.pause = Duration::ZERO;
                        return Ok(item);
                    }
                    // The service stops: it will be back.
                    Ok(None) => Status::unavailable("the stream ended"),
                    Err(status) => status,
                },
            };
            self.stream = None;
            if !may_repeat(&status) {
                return Err(self.connection.failed(name_of(Q::METHOD), &status));
            }
            self.pause = longer(self.pause);
        }
    }

    /// The same as a stream without an end. After an error it begins anew where it was, so whoever goes on asking waits
    /// between.
    pub fn into_stream(self) -> impl Stream<Item = Result<Q::Item, Error>> + Send {
        stream::unfold(self, async |mut watching| {
            let next = watching.next().await;
            Some((next, watching))
        })
    }

    /// A watch of what the answers mean: changes, and the place that they reach.
    pub(crate) fn meaning<T: 'static>(
        self,
        changes: impl Fn(Q::Item) -> Vec<T> + Send + 'static,
    ) -> Watch<T> {
        let connection = self.connection.clone();
        let watched = move |item: Q::Item| {
            let position = Position::of_wire(Q::through(&item).cloned());
            let position = position.ok_or_else(|| connection.malformed(name_of(Q::METHOD)))?;
            Ok(Watched { changes: changes(item), position })
        };
        Watch(Box::pin(self.into_stream().map(move |item| item.and_then(&watched))))
    }
}

/// An endless watch, as [`Watching`], of changes in the words of the domain.
pub struct Watch<T>(Pin<Box<dyn Stream<Item = Result<Watched<T>, Error>> + Send>>);

impl<T> fmt::Debug for Watch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

impl<T> Watch<T> {
    /// The next changes, or a checkpoint without any. Cancel-safe: what was not given out comes again.
    ///
    /// # Errors
    /// `CURSOR_FOREIGN`, `JOURNAL_FORKED`, and what else is not UNAVAILABLE. The next one after an error begins anew where
    /// it was.
    pub async fn next(&mut self) -> Result<Watched<T>, Error> {
        let ended = || Error::malformed("watch", "", "a stream without an end has ended");
        self.0.next().await.unwrap_or_else(|| Err(ended()))
    }
}

impl<T> Stream for Watch<T> {
    type Item = Result<Watched<T>, Error>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context)
    }
}
