//! Calls as a client makes them: each request knows its method and its answer.

use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::Method;
use crate::journal::v1::Cursor;

/// The request of a call with one answer.
pub trait Call: prost::Message + Clone + Default + 'static {
    /// The answer.
    type Answer: prost::Message + Default + 'static;
    /// The method that it asks.
    const METHOD: &'static Method;

    /// The id by which a repeat is known; None where the method needs none.
    fn request_id(&mut self) -> Option<&mut String>;
}

/// The request of a call with many answers.
pub trait Watch: prost::Message + Clone + Default + 'static {
    /// One of the answers.
    type Item: prost::Message + Default + 'static;
    /// The method that it asks.
    const METHOD: &'static Method;
}

/// The request of a stream that is gone on with after a break.
pub trait Resumes: Watch {
    /// The place to go on after; None: from the beginning.
    fn after(&mut self) -> &mut Option<Cursor>;

    /// The place that an answer reaches.
    fn through(item: &Self::Item) -> Option<&Cursor>;
}

/// The request of a page of a list.
pub trait Paged: Call {
    /// The page; empty: the first.
    fn page_token(&mut self) -> &mut String;

    /// The next page; empty: there is none.
    fn next_page_token(answer: &Self::Answer) -> &str;
}

/// A request that only one of the services takes. The others, of journals and operations, each of them takes.
pub trait Homed {
    /// Which.
    const HOME: Home;
}

/// A service that is deployed by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Home {
    /// Minutes and matters.
    Records,
    /// Directory, meetings, rolls.
    Attendance,
    /// Deliveries and what is public.
    Distribution,
}

/// Asks once. `largest`: bytes of the largest answer taken.
///
/// # Errors
/// The service's status, or that of the connection.
pub async fn call<Q: Call>(
    channel: Channel,
    request: Request<Q>,
    largest: usize,
) -> Result<Response<Q::Answer>, Status> {
    let (mut client, path) = ready(channel, Q::METHOD, largest).await?;
    client.unary(request, path, ProstCodec::default()).await
}

/// Asks once for many answers.
///
/// # Errors
/// The service's status, or that of the connection.
pub async fn watch<Q: Watch>(
    channel: Channel,
    request: Request<Q>,
    largest: usize,
) -> Result<Response<Streaming<Q::Item>>, Status> {
    let (mut client, path) = ready(channel, Q::METHOD, largest).await?;
    client.server_streaming(request, path, ProstCodec::default()).await
}

async fn ready(
    channel: Channel,
    method: &'static Method,
    largest: usize,
) -> Result<(Grpc<Channel>, PathAndQuery), Status> {
    let mut client = Grpc::new(channel).max_decoding_message_size(largest);
    client.ready().await.map_err(|e| Status::from_error(Box::new(e)))?;
    Ok((client, PathAndQuery::from_static(method.path)))
}
