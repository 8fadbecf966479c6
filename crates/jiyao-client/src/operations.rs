use std::io::Write;

use jiyao_proto::calls::{call, watch};
use jiyao_proto::operations::v1 as wire;

use crate::connection::{Connection, RESPONSE_LIMIT};
use crate::types::Position;
use crate::{Client, Error};

/// One of the three services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// Minutes and matters.
    Records,
    /// Directory, meetings, rolls.
    Attendance,
    /// Deliveries and what is public.
    Distribution,
}

impl Service {
    /// Every service.
    pub const ALL: [Self; 3] = [Self::Records, Self::Attendance, Self::Distribution];

    /// Its name, e.g. `records`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Attendance => "attendance",
            Self::Distribution => "distribution",
        }
    }
}

/// Where a service stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Of the program.
    pub version: String,
    /// Since when it runs, RFC 3339.
    pub started: String,
    /// Sequence of the newest record on disk.
    pub head: u64,
    /// The same with the journal's id and the hash of the record, in words.
    pub position: String,
    /// What it follows.
    pub following: Vec<Following>,
    /// Bytes of the journal's files.
    pub journal_bytes: u64,
    /// Bytes of the state's files.
    pub state_bytes: u64,
    /// Bytes free on its disk.
    pub free_bytes: u64,
    /// Bytes that stay free: with less, writes are refused.
    pub reserve_bytes: u64,
    /// When the last backup ended, RFC 3339; empty: never.
    pub last_backup: String,
    /// Up to which record it reached.
    pub last_backup_sequence: u64,
    /// Its clock.
    pub clock: Clock,
}

/// The clock of a service: dates of documents come from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// The time that it shows, RFC 3339.
    pub time: String,
    /// The time that was expected, RFC 3339.
    pub expected: String,
    /// Why nothing is recorded until an operator accepts it: BEHIND_LAST_RECORD or JUMPED; empty: it is trusted.
    pub refused: String,
}

/// A journal that a service follows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Following {
    /// Address of the other service.
    pub url: String,
    /// Sequence up to which it has come.
    pub through: u64,
    /// Records that it is behind.
    pub lag: u64,
    /// The other service does not answer now.
    pub is_away: bool,
    /// Why it stopped until an operator reconciles; empty: it goes on.
    pub stopped: String,
}

/// What a verification of a journal found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Records that verify.
    pub records: u64,
    /// Of them, those whose payload was erased.
    pub erased: u64,
    /// Sequences of records that do not; at most 1000.
    pub damaged: Vec<u64>,
}

/// That the content of minutes is erased.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erasure {
    /// Its id.
    pub id: String,
    /// `organs/{organ}/minutes/{minutes}`.
    pub minutes: String,
    /// The law or decision that says that it must go.
    pub basis: String,
    /// Who asked.
    pub asked_by: String,
    /// When, RFC 3339.
    pub asked: String,
    /// Who had it carried out; empty: it waits for that.
    pub confirmed_by: String,
    /// When, RFC 3339.
    pub erased: String,
    /// Records whose content went.
    pub records: u64,
}

fn erasure(of: Option<wire::Erasure>) -> Erasure {
    let of = of.unwrap_or_default();
    Erasure {
        id: of.id,
        minutes: of.minutes,
        basis: of.basis,
        asked_by: of.asked_by,
        asked: time(of.ask_time),
        confirmed_by: of.confirmed_by,
        erased: time(of.erase_time),
        records: of.records,
    }
}

pub(crate) fn time(of: Option<prost_types::Timestamp>) -> String {
    let time = jiyao_wire::instant_from(of.as_ref(), "time").ok().flatten();
    time.map(|time| time.to_string()).unwrap_or_default()
}

fn status(of: wire::GetStatusResponse) -> Status {
    let following = |of: wire::Following| Following {
        url: of.url,
        through: of.through.map_or(0, |through| through.sequence),
        lag: of.lag,
        is_away: of.away,
        stopped: of.stopped,
    };
    let clock = of.clock.unwrap_or_default();
    let head = of.head.as_ref().map_or(0, |head| head.sequence);
    Status {
        version: of.version,
        started: time(of.start_time),
        head,
        position: Position::of_wire(of.head).map(|position| position.to_string()).unwrap_or_default(),
        following: of.following.into_iter().map(following).collect(),
        journal_bytes: of.journal_bytes,
        state_bytes: of.state_bytes,
        free_bytes: of.free_bytes,
        reserve_bytes: of.reserve_bytes,
        last_backup: time(of.last_backup_time),
        last_backup_sequence: of.last_backup_sequence,
        clock: Clock { time: time(clock.time), expected: time(clock.expected), refused: clock.refused },
    }
}

impl Client {
    pub(crate) fn of_service(&self, service: Service) -> &Connection {
        match service {
            Service::Records => &self.records,
            Service::Attendance => &self.attendance,
            Service::Distribution => &self.distribution,
        }
    }

    /// Where a service stands. Needs the role operator or auditor.
    ///
    /// # Errors
    /// `STARTING`.
    pub async fn status(&self, service: Service) -> Result<Status, Error> {
        let answer = self.of_service(service).call(wire::GetStatusRequest {}).await?;
        Ok(status(answer))
    }

    /// Accepts the clock of a service that refuses it (CLOCK_JUMPED), on record: it is right. Needs the role operator.
    /// Answers what it says and what was expected, RFC 3339.
    ///
    /// # Errors
    /// `STATE_FORBIDS` where it is trusted; `FIELD_REQUIRED`, `FIELD_INVALID`.
    pub async fn accept_clock(&self, service: Service, reason: &str) -> Result<(String, String), Error> {
        let request = wire::AcceptClockRequest { reason: reason.to_owned(), request_id: String::new() };
        let answer = self.of_service(service).call(request).await?;
        Ok((time(answer.clock_time), time(answer.expected_time)))
    }

    /// Writes a backup of a service, a tar archive, and answers up to which place of its journal it reaches. Needs the
    /// role operator. What was written is whole only when this ends well.
    ///
    /// # Errors
    /// `STARTING`; those of writing.
    pub async fn backup(&self, service: Service, mut to: impl Write) -> Result<Position, Error> {
        let (what, connection) = ("take a backup", self.of_service(service));
        let request = connection.request(wire::BackupRequest {}, None);
        let replies = watch(connection.channel(), request, RESPONSE_LIMIT).await;
        let mut replies = replies.map_err(|status| connection.failed(what, &status))?.into_inner();
        let mut reached = None;
        while let Some(reply) = replies.message().await.map_err(|status| connection.failed(what, &status))? {
            to.write_all(&reply.chunk).map_err(|e| Error::settings("write a backup", e))?;
            reached = reply.through.or(reached);
        }
        to.flush().map_err(|e| Error::settings("write a backup", e))?;
        Position::of_wire(reached).ok_or_else(|| connection.malformed(what))
    }

    /// Asks that the content of minutes be erased in records and in whoever follows them. Nothing happens until another
    /// person confirms it. Needs the role operator.
    ///
    /// # Errors
    /// `MINUTES_NOT_FOUND`, `MINUTES_ERASED`, `FIELD_REQUIRED`, `FIELD_INVALID`.
    pub async fn ask_erasure(&self, minutes: &str, basis: &str) -> Result<Erasure, Error> {
        let request = wire::AskErasureRequest {
            minutes: minutes.to_owned(),
            basis: basis.to_owned(),
            request_id: String::new(),
        };
        let answer = self.records.call(request).await?;
        Ok(erasure(answer.erasure))
    }

    /// Has an erasure carried out in records; whoever follows them does the same. Needs the role operator, and another
    /// person than the one who asked. May take as long as a start does that reads the whole journal.
    ///
    /// # Errors
    /// `ERASURE_NOT_FOUND`, `SAME_PERSON`, `STATE_FORBIDS`, `DISK_FULL`.
    pub async fn confirm_erasure(&self, id: &str) -> Result<Erasure, Error> {
        let (what, connection) = ("confirm an erasure", &self.records);
        // Without the deadline of ordinary calls, as for backups.
        let request = connection.request(wire::ConfirmErasureRequest { id: id.to_owned() }, None);
        let answer = call(connection.channel(), request, RESPONSE_LIMIT).await;
        let answer = answer.map_err(|status| connection.failed(what, &status))?.into_inner();
        Ok(erasure(answer.erasure))
    }

    /// Every erasure that was asked for or carried out in a service, the oldest first. Needs the role operator or
    /// auditor.
    ///
    /// # Errors
    /// `STARTING`.
    pub async fn erasures(&self, service: Service) -> Result<Vec<Erasure>, Error> {
        let answer = self.of_service(service).call(wire::ListErasuresRequest {}).await?;
        Ok(answer.erasures.into_iter().map(|one| erasure(Some(one))).collect())
    }

    /// Has a service verify every record of its journal; `told` hears how far it has come. Needs the role operator or
    /// auditor.
    ///
    /// # Errors
    /// `STARTING`.
    pub async fn verify_journal(
        &self,
        service: Service,
        mut told: impl FnMut(&Verified),
    ) -> Result<Verified, Error> {
        let (what, connection) = ("verify a journal", self.of_service(service));
        let request = connection.request(wire::VerifyJournalRequest {}, None);
        let replies = watch(connection.channel(), request, RESPONSE_LIMIT).await;
        let mut replies = replies.map_err(|status| connection.failed(what, &status))?.into_inner();
        while let Some(reply) = replies.message().await.map_err(|status| connection.failed(what, &status))? {
            let verified = Verified { records: reply.records, erased: reply.erased, damaged: reply.damaged };
            if reply.through.is_some() {
                return Ok(verified);
            }
            told(&verified);
        }
        Err(connection.malformed(what))
    }
}
