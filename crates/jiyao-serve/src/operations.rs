//! Keeping a service, the same on every service: where it stands, copies of it, whether every record verifies.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiyao_calendar::{Clock as _, SystemClock, Timestamp};
use jiyao_fault::{Fault, Result};
use jiyao_journal::{Hash, Log, ReadError, private};
use jiyao_ledger::{AcceptClock, AskErasure, CarryOut, ClockFault, Domain, Ledger, Places, carried_out};
use jiyao_proto::client::journal::v1::journal_service_client::JournalServiceClient;
use jiyao_proto::journal::v1::GetHeadRequest;
use jiyao_proto::operations::v1 as wire;
use jiyao_proto::server::operations::v1::operations_service_server::OperationsService;
use jiyao_proto::stored::v1 as stored;
use jiyao_telemetry::gauge;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tracing::{info, warn};

use crate::answer::{Answers, Asked, answer, stream};
use crate::follower::{Following, Followings};
use crate::journal_service::cursor_to;
use crate::server::Late;

/// Bytes of a chunk.
const CHUNK: usize = 64 << 10;
/// Chunks that may wait for a slow reader.
const WAITING: usize = 8;
/// How long another service may take to say where it is.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often metrics of the whole are told.
const TOLD_EVERY: Duration = Duration::from_secs(10);
/// The same while the service starts.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Records between two reports of a verification.
const REPORT_EVERY: u64 = if cfg!(test) { 4 } else { 10_000 };
/// Damaged records that are named.
const NAMED: usize = 1000;
/// File that says when the last backup was.
const LAST_BACKUP: &str = "last-backup";

/// What does not change while a service runs.
#[derive(Clone)]
pub(crate) struct About {
    pub(crate) name: &'static str,
    pub(crate) folder: PathBuf,
    pub(crate) reserve: u64,
    pub(crate) started: Timestamp,
    pub(crate) followings: Followings,
}

/// Serves a ledger's operations.
pub(crate) struct OperationsApi<D: Domain> {
    ledger: Late<Ledger<D>>,
    about: About,
    stop: CancellationToken,
}

impl<D: Domain> OperationsApi<D> {
    #[must_use]
    pub(crate) fn new(ledger: Late<Ledger<D>>, about: About, stop: CancellationToken) -> Self {
        Self { ledger, about, stop }
    }

    pub(crate) async fn status(&self) -> Result<wire::GetStatusResponse> {
        let ledger = self.ledger.get()?;
        let (head, clock) = (ledger.head(), ledger.look_at_clock());
        let mut following = Vec::new();
        for followed in self.about.followings.all() {
            following.push(standing(&followed).await);
        }
        let (about, places) = (self.about.clone(), Places::in_folder(&self.about.folder));
        let look = move || {
            let last = fs_err::read_to_string(about.folder.join(LAST_BACKUP)).unwrap_or_default();
            let last = last.split_once(' ').and_then(|(sequence, time)| {
                Some((sequence.parse().ok()?, time.trim().parse::<Timestamp>().ok()?))
            });
            Ok::<_, io::Error>(wire::GetStatusResponse {
                service: about.name.to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                start_time: Some(timestamp(about.started)),
                head: Some(cursor_to(&head)),
                following,
                journal_bytes: size(&places.journal)?,
                state_bytes: size(&places.state)?,
                free_bytes: jiyao_journal::free_bytes(&about.folder)?,
                reserve_bytes: about.reserve,
                last_backup_time: last.map(|(_, time)| timestamp(time)),
                last_backup_sequence: last.map_or(0, |(sequence, _)| sequence),
                clock: Some(wire::ClockStatus {
                    time: Some(timestamp(clock.now)),
                    expected: Some(timestamp(clock.expected)),
                    refused: clock.fault.map(ClockFault::as_str).unwrap_or_default().to_owned(),
                }),
            })
        };
        tokio::task::spawn_blocking(look).await.map_err(Fault::internal)?.map_err(Fault::internal)
    }
}

/// Tells how the service stands as metrics, now and then, until `stop`.
pub(crate) async fn tell(status: impl AsyncFn() -> Result<wire::GetStatusResponse>, stop: CancellationToken) {
    // Sequences and bytes are far below what a float holds exactly.
    let set = |name: &'static str, value: u64| gauge!(name).set(value as f64);
    loop {
        let mut pause = FIRST_PAUSE;
        if let Ok(status) = status().await {
            pause = TOLD_EVERY;
            set("jiyao_head_sequence", status.head.map_or(0, |head| head.sequence));
            set("jiyao_journal_bytes", status.journal_bytes);
            set("jiyao_state_bytes", status.state_bytes);
            set("jiyao_disk_free_bytes", status.free_bytes);
            set("jiyao_clock_refused", u64::from(!status.clock.unwrap_or_default().refused.is_empty()));
            let backup = status.last_backup_time.map_or(0, |time| time.seconds);
            set("jiyao_last_backup_seconds", u64::try_from(backup).unwrap_or(0));
            for one in status.following {
                let stopped = u8::from(!one.stopped.is_empty());
                gauge!("jiyao_following_stopped", "source" => one.url.clone()).set(f64::from(stopped));
                // Of one that does not answer nobody knows how far behind it is.
                let lag = if one.away { f64::NAN } else { one.lag as f64 };
                gauge!("jiyao_following_lag_records", "source" => one.url).set(lag);
            }
        }
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}

fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: time.as_second(), nanos: time.subsec_nanosecond() }
}

/// Bytes of the files under a folder. What goes away meanwhile counts as nothing.
fn size(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        bytes += match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size(&entry.path())?,
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        };
    }
    Ok(bytes)
}

async fn standing(following: &Following) -> wire::Following {
    let through = following.through();
    let head = async {
        let mut source = JournalServiceClient::new(following.source.link().ok()?);
        source.get_head(GetHeadRequest {}).await.ok()?.into_inner().head
    };
    let head = tokio::time::timeout(PATIENCE, head).await.ok().flatten().map(|head| head.sequence);
    wire::Following {
        url: following.source.url.clone(),
        through: through.as_ref().map(cursor_to),
        source_head: head.unwrap_or(0),
        lag: head.unwrap_or(0).saturating_sub(through.map_or(0, |through| through.sequence)),
        stopped: following.stopped(),
        away: head.is_none(),
    }
}

type Sender<T> = mpsc::Sender<Result<T>>;

/// Writes into a stream. A reader that went away is a broken pipe.
struct Chunks {
    to: Sender<wire::BackupResponse>,
    bytes: Vec<u8>,
}

impl Chunks {
    fn send(&mut self) -> io::Result<()> {
        let chunk = std::mem::take(&mut self.bytes);
        let reply = wire::BackupResponse { chunk, through: None };
        self.to.blocking_send(Ok(reply)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(CHUNK - self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..taken]);
        if self.bytes.len() == CHUNK {
            self.send()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.bytes.is_empty() { Ok(()) } else { self.send() }
    }
}

/// Writes a backup into a stream, and notes that there was one.
fn back_up(log: &Log, about: &About, to: &Sender<wire::BackupResponse>) -> io::Result<()> {
    let time = SystemClock.now().to_string();
    let chunks = Chunks { to: to.clone(), bytes: Vec::with_capacity(CHUNK) };
    let through = jiyao_backup::write(log, about.name, &time, &about.folder.join("keys"), chunks)?;
    let last = wire::BackupResponse { chunk: Vec::new(), through: Some(cursor_to(&through)) };
    let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
    to.blocking_send(Ok(last)).map_err(|_| gone())?;
    // It counts once all of it was taken, not when the last of it lies in the queue.
    while to.capacity() < to.max_capacity() && !to.is_closed() {
        std::thread::sleep(TAKEN_EVERY);
    }
    // A queue that was thrown away is empty too.
    if to.is_closed() {
        return Err(gone());
    }
    let mut noted = private().create(true).truncate(true).write(true).open(about.folder.join(LAST_BACKUP))?;
    writeln!(noted, "{} {time}", through.sequence)
}

/// How often it is looked whether a backup was taken.
const TAKEN_EVERY: Duration = Duration::from_millis(20);

/// Takes out those of which a record says that this remains of them.
fn prove(payload: &[u8], unproved: &mut BTreeMap<u64, Hash>) {
    for named in carried_out(payload).unwrap_or_default().into_iter().flat_map(|one| one.records) {
        if unproved.get(&named.sequence).is_some_and(|left| left[..] == named.remains) {
            unproved.remove(&named.sequence);
        }
    }
}

/// Verifies every record up to the head of now, with a report now and then and at the end. What remains of an erased
/// record must be what the record of its erasure says.
pub(crate) fn verify(log: &Log, to: &Sender<wire::VerifyJournalResponse>) -> Result<(), ReadError> {
    let head = log.head();
    let mut found = wire::VerifyJournalResponse::default();
    let mut unproved: BTreeMap<u64, Hash> = BTreeMap::new();
    let mut before = log.cursor_at(0)?.hash;
    for sequence in 1..=head.sequence {
        // Nobody waits any more.
        if to.is_closed() {
            return Ok(());
        }
        match log.read_after(sequence, &before) {
            Ok(record) => {
                found.records += 1;
                before = record.hash;
                let payload = record.payload.unwrap_or_default();
                if record.is_erased {
                    found.erased += 1;
                    unproved.insert(sequence, Sha256::digest(&payload).into());
                }
                prove(&payload, &mut unproved);
            }
            Err(e @ ReadError::Io { .. }) => return Err(e),
            Err(_) => {
                if found.damaged.len() < NAMED {
                    found.damaged.push(sequence);
                }
                // The chain goes on from what the header says, where there is one.
                before = log.cursor_at(sequence).map_or(before, |cursor| cursor.hash);
            }
        }
        if sequence.is_multiple_of(REPORT_EVERY) && to.blocking_send(Ok(found.clone())).is_err() {
            return Ok(());
        }
    }
    // What was erased meanwhile was on record before it went.
    let mut behind = head.sequence;
    while !unproved.is_empty() && behind < log.head().sequence {
        behind += 1;
        match log.read(behind) {
            Ok(record) => prove(&record.payload.unwrap_or_default(), &mut unproved),
            Err(e @ ReadError::Io { .. }) => return Err(e),
            Err(_) => {}
        }
    }
    found.records -= unproved.len() as u64;
    found.erased -= unproved.len() as u64;
    found.damaged.extend(unproved.into_keys().take(NAMED.saturating_sub(found.damaged.len())));
    found.damaged.sort_unstable();
    found.through = Some(cursor_to(&head));
    // Nobody waits any more: that is no fault.
    let _ = to.blocking_send(Ok(found));
    Ok(())
}

#[tonic::async_trait]
impl<D: Domain> OperationsService for OperationsApi<D> {
    type BackupStream = Answers<wire::BackupResponse>;
    type VerifyJournalStream = Answers<wire::VerifyJournalResponse>;

    async fn get_status(
        &self,
        request: Request<wire::GetStatusRequest>,
    ) -> Result<Response<wire::GetStatusResponse>, Status> {
        answer(request, async |_, _| self.status().await).await
    }

    async fn backup(
        &self,
        request: Request<wire::BackupRequest>,
    ) -> Result<Response<Self::BackupStream>, Status> {
        stream(request, &self.stop, async |caller, _| {
            let log = self.ledger.get()?.log();
            info!(principal = %caller.principal.mark(), "a backup begins");
            let (send, replies) = mpsc::channel(WAITING);
            let about = self.about.clone();
            tokio::task::spawn_blocking(move || match back_up(&log, &about, &send) {
                Ok(()) => info!("a backup is complete"),
                Err(e) if e.kind() == io::ErrorKind::BrokenPipe => warn!("a backup was not taken to its end"),
                // Logged where it becomes a status.
                Err(e) => drop(send.blocking_send(Err(Fault::internal(e)))),
            });
            Ok(ReceiverStream::new(replies))
        })
        .await
    }

    async fn verify_journal(
        &self,
        request: Request<wire::VerifyJournalRequest>,
    ) -> Result<Response<Self::VerifyJournalStream>, Status> {
        stream(request, &self.stop, async |_, _| {
            let log = self.ledger.get()?.log();
            let (send, replies) = mpsc::channel(WAITING);
            tokio::task::spawn_blocking(move || {
                if let Err(e) = verify(&log, &send) {
                    drop(send.blocking_send(Err(Fault::internal(e))));
                }
            });
            Ok(ReceiverStream::new(replies))
        })
        .await
    }

    async fn ask_erasure(
        &self,
        request: Request<wire::AskErasureRequest>,
    ) -> Result<Response<wire::AskErasureResponse>, Status> {
        answer(request, async |caller, mut request| {
            let asked = Asked::of(&mut request)?;
            let ask = AskErasure { minutes: request.minutes, basis: request.basis };
            let open = self.ledger.get()?.ask_erasure(asked.by(&caller, ask)).await?;
            Ok(wire::AskErasureResponse { erasure: Some(erasure(open)) })
        })
        .await
    }

    async fn confirm_erasure(
        &self,
        request: Request<wire::ConfirmErasureRequest>,
    ) -> Result<Response<wire::ConfirmErasureResponse>, Status> {
        answer(request, async |caller, request| {
            info!(principal = %caller.principal.mark(), id = %request.id, "an erasure is carried out");
            let (principal, method) = (caller.principal.name, caller.method);
            let order = CarryOut::Confirmed { id: request.id, principal, method };
            let erased = self.ledger.get()?.erase(order).await?;
            Ok(wire::ConfirmErasureResponse { erasure: Some(erasure(erased)) })
        })
        .await
    }

    async fn accept_clock(
        &self,
        request: Request<wire::AcceptClockRequest>,
    ) -> Result<Response<wire::AcceptClockResponse>, Status> {
        answer(request, async |caller, mut request| {
            let asked = Asked::of(&mut request)?;
            let accept = AcceptClock { reason: request.reason };
            let accepted = self.ledger.get()?.accept_clock(asked.by(&caller, accept)).await?;
            warn!(principal = %caller.principal.mark(), why = %accepted.why, "the clock was accepted");
            let stored::ClockAccepted { clock_time, expected_time, .. } = accepted;
            Ok(wire::AcceptClockResponse { clock_time, expected_time })
        })
        .await
    }

    async fn list_erasures(
        &self,
        request: Request<wire::ListErasuresRequest>,
    ) -> Result<Response<wire::ListErasuresResponse>, Status> {
        answer(request, async |_, _| {
            let erasures = self.ledger.get()?.erasures()?.into_iter().map(erasure).collect();
            Ok(wire::ListErasuresResponse { erasures })
        })
        .await
    }
}

fn erasure(of: stored::Erasure) -> wire::Erasure {
    let stored::Erasure { id, minutes, basis, asked_by, ask_time, confirmed_by, erase_time, records, .. } =
        of;
    let records = records.len() as u64;
    wire::Erasure { id, minutes, basis, asked_by, ask_time, confirmed_by, erase_time, records }
}
