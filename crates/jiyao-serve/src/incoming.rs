//! Accepting connections, with limits: in total, from one address, on silence after connecting, on asking nothing, and on
//! not taking what was asked for.

use std::collections::HashMap;
use std::future::Future as _;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep};
use tonic::transport::server::Connected;
use tracing::debug;

use crate::allowance::{Allowance, Debt};

/// A connection that says nothing at all for so long is closed.
const FIRST_BYTE: Duration = Duration::from_secs(10);
/// One that asks nothing for so long after it was opened, or takes nothing of the answers that lie there, is closed.
const PATIENCE: Duration = Duration::from_secs(60);
/// What pings take, and no answer does.
const LITTLE: u64 = 4096;

/// What was asked over a connection, and what of the answers lies there.
#[derive(Clone, Default)]
pub(crate) struct Traffic(Arc<Counters>);

#[derive(Default)]
struct Counters {
    is_asked: AtomicBool,
    /// Answers that are not wholly taken; those without an end do not count.
    waiting: AtomicUsize,
    /// Calls of one address, over all of its connections, from their beginning until their answers are taken.
    of_peer: Arc<AtomicUsize>,
    /// On this machine everybody has the same address.
    is_local: bool,
    allowance: Allowance,
    /// A call was answered: the answer was taken, or has no end, or is a fault of the method's.
    is_of_use: AtomicBool,
}

/// One call of a peer; given back when dropped.
pub(crate) struct Share(Arc<AtomicUsize>);

impl Drop for Share {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Traffic {
    fn of(of_peer: Arc<AtomicUsize>, allowance: Allowance, is_local: bool) -> Self {
        Self(Arc::new(Counters { of_peer, allowance, is_local, ..Counters::default() }))
    }

    /// A request came.
    pub(crate) fn ask(&self) {
        self.0.is_asked.store(true, Ordering::Relaxed);
        self.0.allowance.call();
    }

    /// What the connection may say.
    pub(crate) fn allowance(&self) -> &Allowance {
        &self.0.allowance
    }

    /// A call of its peer begins, where that has less than so many under way.
    pub(crate) fn share(&self, most: usize) -> Option<Share> {
        let share = Share(Arc::clone(&self.0.of_peer));
        let before = share.0.fetch_add(1, Ordering::Relaxed);
        (before < most || self.0.is_local).then_some(share)
    }

    /// An answer lies there.
    pub(crate) fn lay(&self) {
        self.0.waiting.fetch_add(1, Ordering::Relaxed);
    }

    /// It is gone.
    pub(crate) fn clear(&self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// The connection is of use to its peer.
    pub(crate) fn mark_of_use(&self) {
        self.0.is_of_use.store(true, Ordering::Relaxed);
    }

    fn is_asked(&self) -> bool {
        self.0.is_asked.load(Ordering::Relaxed)
    }

    fn is_waiting(&self) -> bool {
        self.0.waiting.load(Ordering::Relaxed) > 0
    }
}

#[derive(Default)]
struct Count {
    total: usize,
    by_peer: HashMap<IpAddr, OfPeer>,
}

#[derive(Default)]
struct OfPeer {
    connections: usize,
    calls: Arc<AtomicUsize>,
    debt: Debt,
}

type Counts = Arc<Mutex<Count>>;

/// One place among the connections; given back when dropped.
struct Place {
    counts: Counts,
    peer: IpAddr,
    traffic: Traffic,
}

impl Place {
    fn take(counts: &Counts, peer: IpAddr, total: usize, per_peer: usize) -> Option<Self> {
        let mut count = counts.lock().unwrap_or_else(PoisonError::into_inner);
        let from_peer = count.by_peer.get(&peer).map_or(0, |of_peer| of_peer.connections);
        if count.total >= total || from_peer >= per_peer {
            return None;
        }
        count.total += 1;
        if count.by_peer.len() > total {
            count.by_peer.retain(|_, of_peer| of_peer.connections > 0 || !of_peer.debt.is_paid());
        }
        let of_peer = count.by_peer.entry(peer).or_default();
        of_peer.connections += 1;
        let traffic = Traffic::of(Arc::clone(&of_peer.calls), of_peer.debt.begin(), peer.is_loopback());
        Some(Self { counts: Arc::clone(counts), peer, traffic })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut count = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        count.total -= 1;
        if let Some(of_peer) = count.by_peer.get_mut(&self.peer) {
            of_peer.connections -= 1;
            if !self.traffic.0.is_of_use.load(Ordering::Relaxed) {
                of_peer.debt.add();
            }
            if of_peer.connections == 0 && of_peer.debt.is_paid() {
                count.by_peer.remove(&self.peer);
            }
        }
    }
}

/// A connection within the limits.
pub(crate) struct Connection {
    io: TcpStream,
    traffic: Traffic,
    /// Until the first byte, then again and again.
    patience: Pin<Box<Sleep>>,
    is_silent: bool,
    /// Bytes that the peer took.
    taken: u64,
    /// How many those were when answers lay there at the last look.
    stuck_at: Option<u64>,
    /// Until when time has paid for what is read.
    paid: Instant,
    /// It is not read until then.
    held: Option<Pin<Box<Sleep>>>,
    _place: Place,
}

impl Connection {
    fn count(&mut self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = written {
            self.taken += *bytes as u64;
            self.traffic.allowance().answered(*bytes);
        }
    }

    /// Whether more was said than is paid for.
    fn is_held(&mut self, context: &mut Context<'_>) -> bool {
        while let Some(wait) = self.traffic.0.allowance.wait(&mut self.paid, context) {
            let mut held = Box::pin(tokio::time::sleep(wait));
            let is_over = held.as_mut().poll(context).is_ready();
            self.held = Some(held);
            if !is_over {
                return true;
            }
        }
        self.held = None;
        false
    }

    /// Whether it has had its time: nothing was said, nothing asked, or nothing taken since the last look.
    fn is_over(&mut self) -> bool {
        let is_stuck = self.stuck_at.is_some_and(|before| self.taken - before < LITTLE);
        if self.is_silent || !self.traffic.is_asked() || (is_stuck && self.traffic.is_waiting()) {
            return true;
        }
        self.stuck_at = self.traffic.is_waiting().then_some(self.taken);
        self.patience.as_mut().reset(Instant::now() + PATIENCE);
        false
    }
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
            let connection = Connection {
                io,
                traffic: place.traffic.clone(),
                patience: Box::pin(tokio::time::sleep(FIRST_BYTE)),
                is_silent: true,
                taken: 0,
                stuck_at: None,
                paid: Instant::now(),
                held: None,
                _place: place,
            };
            return Some((Ok(connection), (listener, counts)));
        }
    })
}

impl Connected for Connection {
    type ConnectInfo = Traffic;

    fn connect_info(&self) -> Traffic {
        self.traffic.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = if self.is_held(context) {
            Poll::Pending
        } else {
            let before = buffer.filled().len();
            let read = Pin::new(&mut self.io).poll_read(context, buffer);
            self.traffic.allowance().spend(buffer.filled().len() - before);
            read
        };
        if read.is_ready() && self.is_silent {
            self.is_silent = false;
            self.patience.as_mut().reset(Instant::now() + PATIENCE);
        }
        while self.patience.as_mut().poll(context).is_ready() {
            if self.is_over() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
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
        let written = Pin::new(&mut self.io).poll_write(context, bytes);
        self.count(&written);
        written
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
        let written = Pin::new(&mut self.io).poll_write_vectored(context, bytes);
        self.count(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use futures_util::StreamExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// Both ends of a connection: the peer's, and ours within the limits.
    async fn both_ends() -> (TcpStream, Connection) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut connections = Box::pin(incoming(listener, 1, 1));
        (peer, connections.next().await.unwrap().unwrap())
    }

    async fn ended(connection: &mut Connection) -> io::ErrorKind {
        let mut bytes = [0; 16];
        loop {
            if let Err(e) = connection.read(&mut bytes).await {
                return e.kind();
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_says_nothing_or_asks_nothing_loses_the_connection() {
        let (_peer, mut silent) = both_ends().await;
        let began = Instant::now();
        assert_eq!(ended(&mut silent).await, io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), FIRST_BYTE.as_secs());

        let (mut peer, mut idle) = both_ends().await;
        peer.write_all(b"P").await.unwrap();
        // The byte is there before the clock is asked to move on.
        idle.io.readable().await.unwrap();
        let began = Instant::now();
        assert_eq!(ended(&mut idle).await, io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), PATIENCE.as_secs());
    }

    #[tokio::test]
    async fn whoever_takes_nothing_of_an_answer_loses_the_connection_and_nobody_else() {
        let (_peer, mut connection) = both_ends().await;
        connection.is_silent = false;
        assert!(connection.is_over(), "asks nothing");
        connection.traffic.ask();
        assert!(!connection.is_over() && !connection.is_over(), "may wait for what it has not asked for yet");
        connection.traffic.lay();
        assert!(!connection.is_over(), "the answer came a moment ago");
        connection.taken += LITTLE;
        assert!(!connection.is_over(), "slow, and it takes");
        connection.taken += LITTLE - 1;
        assert!(connection.is_over(), "pings alone");
        connection.traffic.clear();
        assert!(!connection.is_over(), "it was taken at last");
    }

    #[test]
    fn places_are_counted_in_total_and_by_peer_and_come_back() {
        let counts = Counts::default();
        let peer = |last| IpAddr::V4(Ipv4Addr::new(10, 0, 0, last));
        let take = |last| Place::take(&counts, peer(last), 3, 2);
        let (a, b) = (take(1).unwrap(), take(1).unwrap());
        assert!(take(1).is_none(), "two from one address are enough");
        let c = take(2).unwrap();
        let one = a.traffic.share(1).unwrap();
        assert!(b.traffic.share(1).is_none() && c.traffic.share(1).is_some(), "calls count by address");
        drop(one);
        assert!(b.traffic.share(1).is_some());
        c.traffic.mark_of_use();
        assert!(take(3).is_none(), "three are enough in total");
        drop((a, c));
        assert!(take(1).is_some());
        drop(b);
        let left = counts.lock().unwrap();
        assert_eq!(
            (left.total, left.by_peer.len()),
            (0, 1),
            "whoever came in vain is remembered for a while"
        );
        assert!(left.by_peer.contains_key(&peer(1)));
    }
}
