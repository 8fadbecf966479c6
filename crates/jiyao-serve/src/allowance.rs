//! What a peer may say that belongs to no call. Pings, settings and empty frames cost the network's thread as much as
//! calls do, and HTTP/2 sets no limit to them. So every byte that is read is paid for: a call brings some, what its
//! request holds brings as many as it has, answers bring a few, and time brings a trickle. Whoever has none left is read
//! on when there are some again; nobody is refused for it. Connections that came to nothing are paid for by those that
//! come after them from the same address: beginning anew gains nothing.

use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;
use jiyao_telemetry::counter;
use prost::bytes::Bytes;
use tokio::runtime::Handle;
use tokio::time::Instant;
use tonic::Status;
use tonic::body::Body;

use crate::incoming::Traffic;

/// What a connection begins with, and the most that time brings: some thousand pings.
const BURST: i64 = 32 << 10;
/// The most that calls bring.
const MOST: i64 = 1 << 20;
/// A thousand pings a second.
const PER_SECOND: i64 = 16 << 10;
/// Data that a peer may have sent of a request before it hears that nobody reads it: the window of a stream.
pub(crate) const WINDOW: u32 = 256 << 10;
/// What a call brings for its headers and the frames around it.
const CALL: i64 = 4 << 10;
/// What a connection costs over which no answer was taken, and the most that an address owes for those: the next one
/// is not read for two seconds then.
const IN_VAIN: i64 = 4 << 10;
const DEEPEST: i64 = BURST + 2 * PER_SECOND;
/// How long the rest of a request is taken that nobody wants.
const UNWANTED: Duration = Duration::from_secs(1);
/// The head of a frame.
const HEAD: i64 = 9;
/// Of so many bytes of answers one is earned: whoever takes them says so, some bytes for each window.
const ANSWERS: i64 = 64;

/// The bytes of one connection.
pub(crate) struct Allowance {
    left: AtomicI64,
    reader: AtomicWaker,
}

impl Default for Allowance {
    fn default() -> Self {
        Self::of(BURST)
    }
}

impl Allowance {
    fn of(left: i64) -> Self {
        Self { left: AtomicI64::new(left), reader: AtomicWaker::new() }
    }

    fn earn(&self, bytes: i64) {
        if self.add(bytes, MOST) <= 0 {
            self.reader.wake();
        }
    }

    /// Adds, but not beyond the most. What was left before.
    fn add(&self, bytes: i64, most: i64) -> i64 {
        let more = |left: i64| Some(left.saturating_add(bytes).min(left.max(most)));
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).unwrap_or_else(|left| left)
    }

    /// A call came.
    pub(crate) fn call(&self) {
        self.earn(CALL);
    }

    /// So many bytes of answers were taken.
    pub(crate) fn answered(&self, bytes: usize) {
        self.earn(i64::try_from(bytes).unwrap_or(i64::MAX) / ANSWERS);
    }

    /// So many bytes were read.
    pub(crate) fn spend(&self, bytes: usize) {
        self.left.fetch_sub(i64::try_from(bytes).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// How long it takes until there is something left, with what time has brought since `paid`; None: there is. Who
    /// asks is woken when something else brings it.
    pub(crate) fn wait(&self, paid: &mut Instant, context: &Context<'_>) -> Option<Duration> {
        if self.left.load(Ordering::Relaxed) > 0 {
            return None;
        }
        self.reader.register(context.waker());
        let brought = (paid.elapsed().as_secs_f64() * PER_SECOND as f64) as i64;
        // What is less than a byte is not lost.
        *paid += time_of(brought);
        self.add(brought, BURST);
        let missing = 1 - self.left.load(Ordering::Relaxed);
        if missing <= 0 {
            return None;
        }
        counter!("jiyao_connections_held_total").increment(1);
        // A tenth of a second at least: timers are not for less, and a trickle is read in gulps.
        Some(time_of(missing).max(Duration::from_millis(100)))
    }
}

/// What an address owes for connections that came to nothing; time pays it.
pub(crate) struct Debt {
    bytes: i64,
    paid: Instant,
}

impl Default for Debt {
    fn default() -> Self {
        Self { bytes: 0, paid: Instant::now() }
    }
}

impl Debt {
    /// What is owed now.
    fn now(&mut self) -> i64 {
        let brought = (self.paid.elapsed().as_secs_f64() * PER_SECOND as f64) as i64;
        self.paid += time_of(brought);
        self.bytes = self.bytes.saturating_sub(brought).max(0);
        self.bytes
    }

    /// Nothing is owed.
    pub(crate) fn is_paid(&mut self) -> bool {
        self.now() == 0
    }

    /// A connection came to nothing.
    pub(crate) fn add(&mut self) {
        self.bytes = (self.now() + IN_VAIN).min(DEEPEST);
    }

    /// What a new connection begins with.
    pub(crate) fn begin(&mut self) -> Allowance {
        Allowance::of(BURST - self.now())
    }
}

/// The time that brings so many bytes.
fn time_of(bytes: i64) -> Duration {
    Duration::from_secs_f64(bytes as f64 / PER_SECOND as f64)
}

/// A request's body, whose bytes are paid for as they are taken. What of it nobody wants, as of a call that is refused, is
/// taken for a while and thrown away: HTTP/2 counts what still comes for a call that is gone against the connection,
/// and in the end closes it with all that others ask for over it.
pub(crate) struct Paid {
    body: Body,
    traffic: Traffic,
    is_whole: bool,
}

impl Paid {
    pub(crate) fn new(body: Body, traffic: Traffic) -> Self {
        Self { is_whole: body.is_end_stream(), body, traffic }
    }
}

impl Drop for Paid {
    fn drop(&mut self) {
        // At the end of the process nobody takes anything any more.
        let (false, Ok(runtime)) = (self.is_whole || self.body.is_end_stream(), Handle::try_current()) else {
            return;
        };
        let (mut body, traffic) = (std::mem::take(&mut self.body), self.traffic.clone());
        runtime.spawn(async move {
            let mut taken = 0;
            let rest = async {
                while let Some(Ok(frame)) = body.frame().await {
                    taken += pay(&traffic, &frame);
                }
            };
            if tokio::time::timeout(UNWANTED, rest).await.is_err() {
                // As much again may be on its way; of one that sends nothing nothing is.
                traffic.allowance().earn(taken.min(WINDOW.into()));
            }
        });
    }
}

/// Earns what a frame of data took; answers how much.
fn pay(traffic: &Traffic, frame: &Frame<Bytes>) -> i64 {
    let Some(data) = frame.data_ref().filter(|data| !data.is_empty()) else { return 0 };
    let taken = HEAD + i64::try_from(data.len()).unwrap_or(i64::MAX);
    traffic.allowance().earn(taken);
    taken
}

impl http_body::Body for Paid {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        self.is_whole |= frame.is_none();
        if let Some(Ok(frame)) = &frame {
            pay(&self.traffic, frame);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::{Wake, Waker};

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Woken {
        fn times(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_said_beside_calls_is_read_at_its_rate_and_calls_bring_more() {
        let (allowance, mut paid) = (Allowance::default(), Instant::now());
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let context = Context::from_waker(&waker);
        allowance.spend(BURST as usize - 1);
        assert_eq!(allowance.wait(&mut paid, &context), None, "a burst is free");
        allowance.spend(1 + 2 * PER_SECOND as usize);
        let wait = allowance.wait(&mut paid, &context).unwrap();
        assert_eq!(wait.as_secs(), 2);
        tokio::time::advance(wait / 2).await;
        assert_eq!(allowance.wait(&mut paid, &context).unwrap().as_millis(), 1000);
        assert_eq!(woken.times(), 0, "time wakes nobody: a timer does");
        for call in 1..=PER_SECOND / CALL {
            assert!(allowance.wait(&mut paid, &context).is_some());
            allowance.call();
            assert_eq!(woken.times(), call as usize);
        }
        allowance.answered(ANSWERS as usize);
        assert_eq!(allowance.wait(&mut paid, &context), None, "calls and answers bring some");
        tokio::time::advance(Duration::from_secs(3600)).await;
        allowance.spend(BURST as usize);
        assert_eq!(allowance.wait(&mut paid, &context), None);
        allowance.spend(BURST as usize);
        assert!(
            allowance.wait(&mut paid, &context).is_some(),
            "an hour of silence brings no more than a burst"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_begins_again_and_again_in_vain_is_read_later_and_later_and_for_a_while_only() {
        let mut debt = Debt::default();
        let waker = futures_util::task::noop_waker();
        let context = Context::from_waker(&waker);
        let wait = |allowance: Allowance| allowance.wait(&mut Instant::now(), &context).unwrap_or_default();
        for _ in 0..BURST / IN_VAIN - 1 {
            debt.add();
            assert_eq!(wait(debt.begin()), Duration::ZERO, "some come to nothing for other reasons");
        }
        for _ in 0..100 {
            debt.add();
        }
        assert_eq!(wait(debt.begin()).as_secs(), 2);
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(wait(debt.begin()), Duration::ZERO);
        assert!(!debt.is_paid());
        tokio::time::advance(time_of(BURST)).await;
        assert!(debt.is_paid());
    }
}
