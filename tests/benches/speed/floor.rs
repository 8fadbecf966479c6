//! A tonic server that does nothing but answer with given bytes, and calls that neither encode nor decode.

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use anyhow::Result;
use jiyao_testkit::Raw;
use prost::bytes::{Buf as _, BufMut as _, Bytes};
use tonic::transport::Channel;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// A tonic server that does nothing: answers each call with the bytes of a file of its name, and a stream with the
/// messages in it.
#[derive(Clone)]
struct Floor {
    folder: PathBuf,
    answers: Arc<Mutex<HashMap<String, Vec<Bytes>>>>,
}

/// Messages of a file: each a length of four bytes and the bytes.
fn messages(file: &Path) -> Vec<Bytes> {
    let mut bytes = Bytes::from(std::fs::read(file).unwrap_or_default());
    let mut found = Vec::new();
    while bytes.remaining() >= 4 {
        let length = bytes.get_u32() as usize;
        found.push(bytes.copy_to_bytes(length));
    }
    found
}

pub(crate) fn keep(file: &Path, messages: &[Bytes]) -> Result<()> {
    let mut bytes = Vec::new();
    for message in messages {
        bytes.put_u32(u32::try_from(message.len())?);
        bytes.extend_from_slice(message);
    }
    Ok(fs_err::write(file, bytes)?)
}

type Messages = Pin<Box<dyn tokio_stream::Stream<Item = Result<Bytes, Status>> + Send>>;

#[derive(Clone)]
struct Answer(Vec<Bytes>);

impl tonic::server::UnaryService<Bytes> for Answer {
    type Response = Bytes;
    type Future = std::future::Ready<Result<Response<Bytes>, Status>>;

    fn call(&mut self, _: Request<Bytes>) -> Self::Future {
        std::future::ready(Ok(Response::new(self.0.first().cloned().unwrap_or_default())))
    }
}

impl tonic::server::ServerStreamingService<Bytes> for Answer {
    type Response = Bytes;
    type ResponseStream = Messages;
    type Future = std::future::Ready<Result<Response<Messages>, Status>>;

    fn call(&mut self, _: Request<Bytes>) -> Self::Future {
        let all = std::mem::take(&mut self.0).into_iter().map(Ok);
        std::future::ready(Ok(Response::new(Box::pin(tokio_stream::iter(all)) as Messages)))
    }
}

impl tower::Service<http::Request<tonic::body::Body>> for Floor {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let name = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        let answer = {
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            let read = || messages(&self.folder.join(&name));
            Answer(answers.entry(name.clone()).or_insert_with(read).clone())
        };
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(Raw);
            Ok(match name.as_str() {
                "Follow" => grpc.server_streaming(answer, request).await,
                _ => grpc.unary(answer, request).await,
            })
        })
    }
}

impl tonic::server::NamedService for Floor {
    const NAME: &'static str = "floor";
}

/// A port of its own, told to whoever started the process.
pub(crate) async fn listening() -> Result<TcpIncoming> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    Ok(TcpIncoming::from(listener).with_nodelay(Some(true)))
}

pub(crate) async fn serve(folder: PathBuf) -> Result<()> {
    let incoming = listening().await?;
    let floor = Floor { folder, answers: Arc::default() };
    Ok(tonic::transport::Server::builder().add_service(floor).serve_with_incoming(incoming).await?)
}

pub(crate) async fn channel(address: &str) -> Result<Channel> {
    Ok(Channel::from_shared(format!("http://{address}"))?.tcp_nodelay(true).connect().await?)
}

pub(crate) async fn ask(channel: &Channel, path: &str, request: Request<Bytes>) -> Result<Bytes> {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await?;
    Ok(grpc.unary(request, path.parse()?, Raw).await?.into_inner())
}
