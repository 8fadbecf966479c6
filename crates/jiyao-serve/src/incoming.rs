//! Accepting connections, with limits: in total, from one address, and on silence after connecting.

use std::collections::HashMap;
use std::future::Future as _;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Sleep;
use tonic::transport::server::{Connected, TcpConnectInfo};
use tracing::debug;

/// A connection that says nothing at all for so long is closed.
const FIRST_BYTE: Duration = Duration::from_secs(10);

#[derive(Default)]
struct Count {
    total: usize,
    by_peer: HashMap<IpAddr, usize>,
}

type Counts = Arc<Mutex<Count>>;

/// One place among the connections; given back when dropped.
struct Place {
    counts: Counts,
    peer: IpAddr,
}

impl Place {
    fn take(counts: &Counts, peer: IpAddr, total: usize, per_peer: usize) -> Option<Self> {
        let mut count = counts.lock().unwrap_or_else(PoisonError::into_inner);
        let from_peer = count.by_peer.get(&peer).copied().unwrap_or(0);
        if count.total >= total || from_peer >= per_peer {
            return None;
        }
        count.total += 1;
        count.by_peer.insert(peer, from_peer + 1);
        Some(Self { counts: Arc::clone(counts), peer })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut count = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        count.total -= 1;
        if let Some(from_peer) = count.by_peer.get_mut(&self.peer) {
            *from_peer -= 1;
            if *from_peer == 0 {
                count.by_peer.remove(&self.peer);
            }
        }
    }
}

/// A connection within the limits.
pub(crate) struct Connection {
    io: TcpStream,
    silence: Option<Pin<Box<Sleep>>>,
    _place: Place,
}

/// Connections as they come; those over a limit are closed at once.
pub(crate) fn incoming(
    listener: TcpListener,
    total: usize,
    per_peer: usize,
) -> impl Stream<Item = io::Result<Connection>> {
    let counts = Counts::default();
    futures_util::stream::unfold((listener, counts), move |(listener, counts)| async move {
        loop {
            let (io, peer): (TcpStream, SocketAddr) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(e) => {
                    // Out of descriptors, or the peer gave up: the listener itself is sound.
                    debug!(cause = %e, "a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
            };
            let Some(place) = Place::take(&counts, peer.ip(), total, per_peer) else {
                debug!("a connection over the limit was closed");
                continue;
            };
            if let Err(e) = io.set_nodelay(true) {
                debug!(cause = %e, "a connection ended at once");
                continue;
            }
            let silence = Some(Box::pin(tokio::time::sleep(FIRST_BYTE)));
            return Some((Ok(Connection { io, silence, _place: place }), (listener, counts)));
        }
    })
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.io.connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.io).poll_read(context, buffer);
        if read.is_ready() {
            self.silence = None;
        } else if let Some(silence) = self.silence.as_mut()
            && silence.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn places_are_counted_in_total_and_by_peer_and_come_back() {
        let counts = Counts::default();
        let peer = |last| IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
        let take = |last| Place::take(&counts, peer(last), 3, 2);
        let (a, b) = (take(1).unwrap(), take(1).unwrap());
        assert!(take(1).is_none(), "two from one address are enough");
        let c = take(2).unwrap();
        assert!(take(3).is_none(), "three are enough in total");
        drop((a, c));
        assert!(take(1).is_some());
        drop(b);
        assert_eq!(counts.lock().unwrap().total, 0);
        assert!(counts.lock().unwrap().by_peer.is_empty());
    }
}
