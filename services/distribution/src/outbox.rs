//! What distribution does by itself: it makes the deliveries of issued minutes, publishes, sends what is due, and reads
//! what mail systems report. All of it is at-least-once; each effect is a command, and happens once.

use std::time::Duration;

use jiyao_calendar::{Clock as _, SystemClock};
use jiyao_deliveries::{Act, Channel, Delivery, State, public_part};
use jiyao_fault::{Fault, Reason, Result};
use jiyao_ledger::{Ledger, Lookup as _, Reading, Submission, from_json};
use jiyao_minutes::Level;
use jiyao_names::{Delivery as DeliveryName, Minutes, hex};
use jiyao_proto::stored::v1::Noted;
use jiyao_serve::Source;
use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::documents::{Task, View as _};
use crate::domain::{Command, DistributionDomain};
use crate::email::{Mailer, Report};
use crate::intake::fetch_content;
use crate::keys;
use crate::webhook::{Refused, Webhooks};

/// How often it looks.
const EVERY: Duration = Duration::from_millis(200);
/// Deliveries that are to go out, read at once.
const LOOKED_AT: usize = 2000;
/// Tasks looked at in one round; the next one looks behind them, so those that cannot go on hide no others.
const TASKS_AT_ONCE: usize = 1000;
/// Attempts under way at the same time.
const AT_ONCE: usize = 32;

/// Which deliveries go out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Due {
    /// Those whose time has come.
    ByNow,
    /// Those that an attempt began for, of which nobody knows the answer.
    UnderWay,
}

/// What the background needs.
#[derive(Clone)]
pub(crate) struct Outbox {
    pub(crate) ledger: Ledger<DistributionDomain>,
    pub(crate) records: Source,
    pub(crate) webhooks: Webhooks,
    pub(crate) mailer: Option<Mailer>,
    /// From this level on only paper goes.
    pub(crate) paper_from: Level,
}

/// The bytes and the text of a revision, from the journal. Blocks on the disk.
pub(crate) fn content(
    ledger: &Ledger<DistributionDomain>,
    minutes: &Minutes,
    sha256: &str,
) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
    let (at, _) = ledger.read(|view| view.value(&keys::content(minutes, sha256)))?;
    let Some(sequence) = at.and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes) else {
        return Ok(None);
    };
    let record = ledger.record(sequence)?.unwrap_or_default();
    for event in &record.events {
        let noted: Noted = jiyao_ledger::decode_event(event)?;
        match noted.parts.as_slice() {
            [content, text] => return Ok(Some((content.clone(), text.clone()))),
            [] => return Err(Fault::new(Reason::MinutesErased).with("minutes", minutes)),
            _ => {}
        }
    }
    Err(Fault::internal(format!("record {sequence} holds no content")))
}

impl Outbox {
    /// Works until `stop`: what is to be made waits for records, and what is due does not wait for that.
    pub(crate) async fn run(self, stop: CancellationToken) {
        tokio::join!(self.clone().make(stop.clone()), self.send(stop));
    }

    /// Makes deliveries and what is public, as minutes are issued and published.
    async fn make(self, stop: CancellationToken) {
        let mut after = Vec::new();
        loop {
            let went_on = async {
                let has_more = self.tasks(&mut after).await.unwrap_or_else(|fault| {
                    warn!(cause = %jiyao_fault::chain(&fault), "what is to be done is not read");
                    false
                });
                tokio::time::sleep(if has_more { Duration::ZERO } else { EVERY }).await;
            };
            if stop.run_until_cancelled(went_on).await.is_none() {
                return;
            }
        }
    }

    /// Sends what is due, and takes up what comes back.
    async fn send(self, stop: CancellationToken) {
        let mut has_key = false;
        let mut under_way = JoinSet::new();
        // What an earlier process sent without seeing the answer is sent again, whatever time it was given.
        let mut again = self.due(Due::UnderWay, usize::MAX).unwrap_or_else(|fault| {
            warn!(cause = %jiyao_fault::chain(&fault), "what was under way waits for its time");
            Vec::new()
        });
        loop {
            if !has_key {
                let noted = self.submit("use a key", Command::UseKey).await;
                has_key = noted.is_ok();
                if let Err(fault) = noted {
                    warn!(cause = %jiyao_fault::chain(&fault), "the key of receipts is not on record");
                }
            }
            let room = AT_ONCE - under_way.len();
            let due = match again.split_off(again.len().saturating_sub(room)) {
                none if none.is_empty() => self.due(Due::ByNow, room),
                some => Ok(some),
            };
            match due {
                Ok(due) => due.into_iter().for_each(|delivery| {
                    under_way.spawn(self.clone().attempt(delivery));
                }),
                Err(fault) => warn!(cause = %jiyao_fault::chain(&fault), "what is due is not sent"),
            }
            if let Err(fault) = self.read_reports().await {
                warn!(cause = %jiyao_fault::chain(&fault), "mail reports are not read");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
                Some(ended) = under_way.join_next() => {
                    if let Err(fault) = ended.map_err(Fault::internal).flatten() {
                        warn!(cause = %jiyao_fault::chain(&fault), "an attempt has no outcome");
                    }
                }
            }
        }
    }

    async fn submit(&self, method: &'static str, command: Command) -> Result<()> {
        self.ledger.submit(Submission::own("distribution", method, command)).await.map(|_| ())
    }

    /// Delivers and publishes some of what is to be delivered and published, behind the key `after`, which it moves on;
    /// whether any of it went on.
    async fn tasks(&self, after: &mut Vec<u8>) -> Result<bool> {
        let read = |view: &Reading<'_>| {
            let (mut found, mut last) = (Vec::new(), Vec::new());
            for pair in view.scan(keys::TASKS, after).take(TASKS_AT_ONCE) {
                let (key, task) = pair?;
                last.clone_from(&key);
                // `t/{organ}/{16 bytes}/`.
                let rest = &key[keys::TASKS.len()..];
                let parts = rest.iter().position(|byte| *byte == b'/').map(|at| rest.split_at(at));
                let Some((organ, id)) = parts else { continue };
                let organ = std::str::from_utf8(organ).map_err(Fault::internal)?;
                let id = id.get(1..17).and_then(|id| uuid::Uuid::from_slice(id).ok());
                let id = id.ok_or_else(|| Fault::internal("a task's key is cut"))?;
                let minutes = Minutes { organ: jiyao_names::Organ::from_id(organ, "organ")?, id };
                found.push((minutes, from_json::<Task>(&task)?));
            }
            Ok((found, last))
        };
        let ((tasks, last), _) = self.ledger.read(read)?;
        // Behind the last of all it begins anew.
        *after = if tasks.len() == TASKS_AT_ONCE { last } else { Vec::new() };
        let mut went_on = false;
        for (minutes, task) in tasks {
            match self.task(&minutes, task).await {
                Ok(did_something) => went_on |= did_something,
                Err(fault) => debug!(%minutes, cause = %jiyao_fault::chain(&fault), "deliveries wait"),
            }
        }
        Ok(went_on)
    }

    async fn task(&self, minutes: &Minutes, task: Task) -> Result<bool> {
        let ((known, scope, is_erased), _) = self.ledger.read(|view| {
            let is_erased = view.is_erased(&minutes.to_string())?;
            Ok((view.known(minutes, "minutes")?, view.scope(minutes)?, is_erased))
        })?;
        // There is nothing any more that could be delivered or published.
        if is_erased {
            return Ok(false);
        }
        // Minutes that others correct wait: they go on where those are revoked.
        let delivers = task.deliver.is_some() && known.replaced_by.is_empty();
        let publishes = task.publish && known.may_be_published();
        if !delivers && !publishes {
            return Ok(false);
        }
        let sha256 = match scope.filter(|_| delivers) {
            Some(scope) => scope.sha256,
            None => known.sha256.clone(),
        };
        let text = match self.taken(minutes, &sha256).await {
            Err(fault) if fault.reason() == Reason::MinutesErased => return Ok(false),
            text => text?,
        };
        if delivers {
            self.submit("make deliveries", Command::Make { minutes: minutes.clone() }).await?;
        }
        if publishes {
            let text = String::from_utf8_lossy(&text).into_owned();
            let text = public_part(&text, &known.passages);
            self.submit("publish", Command::Publish { minutes: minutes.clone(), text }).await?;
        }
        Ok(true)
    }

    /// Makes sure that the bytes of a revision lie here; answers their text.
    async fn taken(&self, minutes: &Minutes, sha256: &str) -> Result<Vec<u8>> {
        let (ledger, of, wanted) = (self.ledger.clone(), minutes.clone(), sha256.to_owned());
        let here = tokio::task::spawn_blocking(move || content(&ledger, &of, &wanted));
        if let Some((_, text)) = here.await.map_err(Fault::internal)?? {
            return Ok(text);
        }
        let link = self.records.link().map_err(Fault::internal)?;
        let (content, text) = fetch_content(&link, minutes).await?;
        if hex(&Sha256::digest(&content)) != sha256 {
            // Records has a newer revision than was frozen: nobody may get that one.
            let held = hex(&Sha256::digest(&content));
            return Err(Fault::new(Reason::HashMismatch).with("sha256", held).with("sent", sha256));
        }
        let (minutes, sha256) = (minutes.clone(), sha256.to_owned());
        self.submit("take content", Command::Take { minutes, sha256, content, text: text.clone() }).await?;
        Ok(text)
    }

    /// The first so many deliveries that are to go out.
    fn due(&self, which: Due, most: usize) -> Result<Vec<Delivery>> {
        let now = u64::try_from(SystemClock.now().as_millisecond()).unwrap_or(0);
        let (mut due, mut next) = (Vec::new(), Some(Vec::new()));
        while let Some(after) = next {
            (next, _) = self.ledger.read(|view| {
                let mut last = None;
                for pair in view.scan(keys::DUE, &after).take(LOOKED_AT) {
                    let (key, name) = pair?;
                    let at = key.get(keys::DUE.len()..).and_then(|key| key.first_chunk()).copied();
                    let is_by_now = at.map_or(u64::MAX, u64::from_be_bytes) <= now;
                    if which == Due::ByNow && (!is_by_now || due.len() == most) {
                        return Ok(None);
                    }
                    last = Some(key);
                    let delivery = view.named(&name)?;
                    // Minutes that others correct wait, or are recalled by their correction.
                    let minutes = Minutes::parse(&delivery.minutes, "minutes")?;
                    if !view.known(&minutes, "minutes")?.replaced_by.is_empty() {
                        continue;
                    }
                    if which == Due::ByNow || delivery.state == State::Sent {
                        due.push(delivery);
                    }
                }
                Ok(last)
            })?;
        }
        Ok(due)
    }

    /// One attempt: it is on record that it begins before anything goes out, so a crash repeats it with a new number.
    async fn attempt(self, delivery: Delivery) -> Result<()> {
        let name = DeliveryName::parse(&delivery.name, "name")?;
        if delivery.is_reminding {
            return self.remind(name, delivery).await;
        }
        let attempt = delivery.attempt + 1;
        let begin = system(&name, delivery.version, Act::Send { attempt });
        match self.submit("send", begin).await {
            // Somebody recalled or redirected it meanwhile.
            Err(fault) if fault.reason() == Reason::EtagStale => return Ok(()),
            other => other?,
        }
        let channel = delivery.channel;
        let outcome = match self.go_out(&name, delivery, attempt).await? {
            // Taken by a mail server is not received: its reports say what came of it.
            Ok(()) if channel == Channel::Email => {
                system(&name, 0, Act::Transit { attempt, action: "accepted".to_owned() })
            }
            Ok(()) => system(&name, 0, Act::Receive { attempt }),
            Err(Refused { why, is_final, asked }) => {
                let delivery = name.clone();
                Command::Failed { delivery, attempt, why, is_final, asked, is_reported: false }
            }
        };
        match self.submit("send", outcome).await {
            // It was signed for or recalled before the answer came.
            Err(fault) if matches!(fault.reason(), Reason::StateForbids | Reason::AttemptStale) => Ok(()),
            other => other,
        }
    }

    /// Sends a reminder by the delivery's way: once, unless the process dies between sending and recording it.
    async fn remind(self, name: DeliveryName, delivery: Delivery) -> Result<()> {
        match self.submit("send", system(&name, delivery.version, Act::Reminding)).await {
            // Somebody did something with it meanwhile: the next look shows what.
            Err(fault) if matches!(fault.reason(), Reason::EtagStale | Reason::StateForbids) => return Ok(()),
            other => other?,
        }
        let (attempt, number) =
            (delivery.attempt, u32::try_from(delivery.reminders.len()).unwrap_or(u32::MAX));
        let refused = self.go_out(&name, delivery, attempt).await?.err();
        let failure = refused.map(|refused| refused.why).unwrap_or_default();
        let done = Act::Reminded { number, failure };
        match self.submit("send", system(&name, 0, done)).await {
            // It was signed for meanwhile, or there is a newer one.
            Err(fault) if fault.reason() == Reason::StateForbids => Ok(()),
            other => other,
        }
    }

    /// Sends a delivery, or its last reminder, by its way.
    async fn go_out(
        &self,
        name: &DeliveryName,
        delivery: Delivery,
        attempt: u32,
    ) -> Result<std::result::Result<(), Refused>> {
        let minutes = Minutes::parse(&delivery.minutes, "minutes")?;
        let ((address, known, is_erased), _) = self.ledger.read(|view| {
            let address = view.address(&name.organ, &delivery.unit)?;
            Ok((address, view.known(&minutes, "minutes")?, view.is_erased(&minutes.to_string())?))
        })?;
        if is_erased {
            return Ok(Err(Refused::for_good(Reason::MinutesErased.as_str())));
        }
        // Whatever it was sent by before.
        if let Err(fault) = known.check_not_over() {
            return Ok(Err(Refused::for_good(fault.reason().as_str())));
        }
        if known.is_paper_only(self.paper_from) {
            return Ok(Err(Refused::for_good("minutes of that level go on paper")));
        }
        if delivery.channel == Channel::Webhook {
            let now = SystemClock.now().as_second();
            return Ok(self.webhooks.send(&address.url, &delivery, attempt, now).await);
        }
        let Some(mailer) = self.mailer.clone() else {
            return Ok(Err(Refused::for_good("this service has no mail server: set smtp")));
        };
        let ledger = self.ledger.clone();
        let send = move || {
            let held = match content(&ledger, &minutes, &delivery.sha256) {
                Err(fault) if fault.reason() == Reason::MinutesErased => {
                    return Ok(Err(Refused::for_good(fault.reason().as_str())));
                }
                held => held?,
            };
            let (content, _) = held.ok_or_else(|| Fault::internal("content is not here"))?;
            let sent = mailer.send(&address.email, &delivery, attempt, &content);
            Ok(sent.map_err(|why| Refused { why, is_final: false, asked: None }))
        };
        tokio::task::spawn_blocking(send).await.map_err(Fault::internal)?
    }

    /// Takes over what mail systems report.
    async fn read_reports(&self) -> Result<()> {
        let Some(mailer) = self.mailer.clone().filter(|mailer| mailer.maildir.is_some()) else {
            return Ok(());
        };
        let reading = mailer.clone();
        let reports =
            tokio::task::spawn_blocking(move || reading.reports()).await.map_err(Fault::internal)?;
        for (file, report) in reports {
            let report = report.filter(|report| {
                let is_proved = mailer.proves(report);
                if !is_proved {
                    warn!(file = %file.display(), "a mail report is of no mail that was sent from here");
                }
                is_proved
            });
            if let Some(report) = report {
                match self.submit("mail report", reported(report)?).await {
                    Ok(()) => {}
                    Err(fault)
                        if matches!(
                            fault.reason(),
                            Reason::StateForbids | Reason::AttemptStale | Reason::DeliveryNotFound
                        ) => {}
                    Err(fault) => return Err(fault),
                }
            }
            let mailer = mailer.clone();
            tokio::task::spawn_blocking(move || mailer.done(&file)).await.map_err(Fault::internal)?;
        }
        Ok(())
    }
}

/// An act of the service itself.
fn system(name: &DeliveryName, etag: u64, act: Act) -> Command {
    let act = Box::new(act);
    Command::Act { delivery: name.clone(), etag, unit: String::new(), is_system: true, act }
}

/// What a report does: `failed` fails the attempt, `delivered` is a receipt, the others are shown as what they are.
fn reported(report: Report) -> Result<Command> {
    let Report { delivery, attempt, action, why, .. } = report;
    let delivery = DeliveryName::parse(&delivery, "delivery")?;
    let act = match action.as_str() {
        "failed" => {
            return Ok(Command::Failed {
                delivery,
                attempt,
                why,
                is_final: true,
                asked: None,
                is_reported: true,
            });
        }
        "delivered" => Act::ReportDelivered { attempt },
        _ => Act::Transit { attempt, action },
    };
    Ok(Command::Act { delivery, etag: 0, unit: String::new(), is_system: true, act: Box::new(act) })
}
