//! The life of minutes over gRPC.

use std::sync::Arc;
use std::time::Duration;

use jiyao_calendar::{Clock as _, SystemClock, civil_date};
use jiyao_docnum::DocumentNumber;
use jiyao_fault::{Fault, Reason, Result};
use jiyao_ledger::Reading;
use jiyao_minutes::{Act, ChangeKind, Filled, Version, compare, content_change};
use jiyao_names::{Minutes, Organ};
use jiyao_proto::journal::v1::Cursor;
use jiyao_proto::records::v1::{self as api, clause_change, side};
use jiyao_proto::server::records::v1::lifecycle_service_server::LifecycleService;
use jiyao_proto::stored::v1::RecusalsKnown;
use jiyao_serve::{Asked, Caller, Followed, Interest, cursor_to, service};
use jiyao_wire::{Asks, check_count};
use prost::Message as _;

use crate::api::{Api, Read};
use crate::documents::View as _;
use crate::domain::Command;
use crate::keys;
use crate::lanes::LONGEST_COMPARISON;
use crate::life::{Amend, Step, formatted_revision, said};
use crate::sight;

/// Largest text to compare.
const LARGEST_TEXT: usize = 768 << 10;

#[derive(Clone)]
pub(crate) struct LifecycleApi {
    records: Api,
    /// How far attendance, which counts quorums, has been taken over.
    attendance: Followed,
    /// How far distribution, which freezes scopes, has been taken over.
    distribution: Followed,
}

impl LifecycleApi {
    pub(crate) fn new(records: Api, attendance: Followed, distribution: Followed) -> Self {
        Self { records, attendance, distribution }
    }

    /// A passage is marked in the text as it is, and nothing is made public where one is no longer found.
    async fn check_passages(&self, minutes: &Minutes, act: &Act) -> Result<()> {
        let quotes: Vec<String> = match act {
            Act::MarkPassage { passage } => vec![passage.quote.clone()],
            Act::Publish { .. } => {
                let (now, _) = self.records.revision(minutes, 0)?;
                let passages = now.life.unwrap_or_default().passages;
                passages.into_iter().map(|passage| passage.quote).collect()
            }
            _ => return Ok(()),
        };
        if quotes.is_empty() {
            return Ok(());
        }
        let text = self.records.text_of(minutes, 0).await?;
        let missing = move || quotes.into_iter().find(|quote| !text.contains(quote.as_str()));
        match tokio::task::spawn_blocking(missing).await.map_err(Fault::internal)? {
            Some(quote) => Err(Fault::invalid("quote", quote)),
            None => Ok(()),
        }
    }

    async fn step<R: Asks<Act = Act>>(
        &self,
        caller: Caller,
        mut request: R,
    ) -> Result<(api::Minutes, Cursor)> {
        let asked = Asked::of(&mut request)?;
        let (name, etag) = request.about();
        let minutes = Minutes::parse(name, "name")?;
        let act = request.act()?;
        self.check_passages(&minutes, &act).await?;
        let step = Step::Act { minutes: minutes.clone(), etag, act: Box::new(act) };
        let committed = self.records.ledger.submit(&caller, asked, Command::Step(step)).await;
        let committed = committed.or_else(|fault| {
            // Another service has what is missing, and it does not come any more.
            match fault.reason() {
                Reason::ScopeNotFrozen => self.distribution.goes_on()?,
                Reason::QuorumOpen => self.attendance.goes_on()?,
                _ => {}
            }
            Err(fault)
        })?;
        Ok((self.records.made(&minutes, 0, &committed).await?, cursor_to(&committed.cursor)))
    }

    async fn update_draft(
        &self,
        caller: Caller,
        mut request: api::UpdateDraftRequest,
    ) -> Result<api::UpdateDraftResponse> {
        let name = Minutes::parse(&request.name, "name")?;
        let asked = Asked::of(&mut request)?;
        let minutes = name.clone();
        // Formatting is held against what it must leave as it is.
        let against = match request.formatting {
            true => Some(self.to_format(&name).await?),
            false => None,
        };
        let words = Arc::clone(&self.records.words);
        let amend = move |read: Read| {
            let held = against.map(|(revision, text, filled)| {
                // Both by the same reader: what an older one read otherwise is no change.
                let signed = jiyao_reader::read(&text, &words).facts;
                let before = Version { text: &text, facts: &signed };
                (revision, content_change(before, read.version(), &filled))
            });
            Ok(Amend {
                held,
                minutes,
                etag: request.etag,
                formatting: request.formatting,
                note: request.note,
                read: read.minutes(),
                original: read.original,
                text: read.text,
            })
        };
        let lane = (&self.records.lanes.imports, Duration::MAX);
        let amend = self.records.read(lane, request.source, false, amend).await?;
        let step = Step::Amend(Box::new(amend));
        let committed = self.records.ledger.submit(&caller, asked, Command::Step(step)).await?;
        let made = api::Minutes::decode(committed.answer.as_slice()).map_err(Fault::internal)?;
        let minutes = self.records.made(&name, made.revision, &committed).await?;
        Ok(api::UpdateDraftResponse { minutes: Some(minutes), position: Some(cursor_to(&committed.cursor)) })
    }

    /// The revision that formatting must leave as it is, its text, and what may be filled in.
    async fn to_format(&self, name: &Minutes) -> Result<(u64, String, Filled)> {
        let ((revision, filled), _) = self.records.ledger.get()?.read(|view| {
            let minutes = view.document(name, "name")?.minutes.unwrap_or_default();
            let life = view.life(name, &minutes)?;
            let filled = Filled { number: DocumentNumber::parse(&life.number), signed: life.signed };
            Ok((formatted_revision(&life, &minutes), filled))
        })?;
        Ok((revision, self.records.text_of(name, revision).await?, filled))
    }

    async fn side(&self, caller: &Caller, side: Option<api::Side>, field: &str) -> Result<String> {
        match side.and_then(|side| side.of).ok_or_else(|| Fault::required(field))? {
            side::Of::Text(text) if text.len() > LARGEST_TEXT => {
                Err(jiyao_extract::too_large(LARGEST_TEXT, field))
            }
            side::Of::Text(text) => Ok(text),
            side::Of::Revision(revision) => {
                let asked = async || {
                    let name = Minutes::parse(&revision.name, "name")?;
                    let see = |view: &Reading<'_>| sight::check(view, &caller.principal, &name, "name");
                    self.records.ledger.get()?.read(see)?;
                    self.records.text_of(&name, revision.revision).await
                };
                asked().await.map_err(|fault| fault.below(&format!("{field}.revision")))
            }
        }
    }

    async fn compare_versions(
        &self,
        caller: Caller,
        request: api::CompareVersionsRequest,
    ) -> Result<api::CompareVersionsResponse> {
        let before = self.side(&caller, request.before, "before").await?;
        let after = self.side(&caller, request.after, "after").await?;
        let work = move |_: &Interest| Ok(compare(&before, &after, LONGEST_COMPARISON));
        let changes = self.records.lanes.comparisons.have(work).await?;
        let index = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let message = |change: jiyao_minutes::Change| api::ClauseChange {
            kind: match change.kind {
                ChangeKind::Added => clause_change::Kind::Added,
                ChangeKind::Removed => clause_change::Kind::Removed,
                ChangeKind::Changed => clause_change::Kind::Changed,
            }
            .into(),
            before_index: index(change.old_index),
            after_index: index(change.new_index),
            before: change.before,
            after: change.after,
        };
        let changes = changes.into_iter().map(message).collect();
        Ok(api::CompareVersionsResponse { changes })
    }

    async fn get_standing(
        &self,
        caller: Caller,
        request: api::GetStandingRequest,
    ) -> Result<api::GetStandingResponse> {
        let name = Minutes::parse(&request.name, "name")?;
        let ((life, minutes, zone), _) = self.records.ledger.get()?.read(|view| {
            sight::check(view, &caller.principal, &name, "name")?;
            let minutes = view.document(&name, "name")?.minutes.unwrap_or_default();
            Ok((view.life(&name, &minutes)?, minutes, view.organ(&name.organ, "name")?.time_zone))
        })?;
        let today = jiyao_wire::date_from(&request.as_of, "as_of")?;
        let today = today.unwrap_or_else(|| civil_date(SystemClock.now(), &zone));
        let printed = said(minutes.facts.unwrap_or_default().printed.unwrap_or_default().date.as_ref());
        Ok(api::GetStandingResponse {
            standing: jiyao_wire::standing_to(life.standing_on(today, printed)).into(),
            replaced_by: life.replaced_by,
            as_of: today.to_string(),
        })
    }

    async fn record_proceedings(
        &self,
        caller: Caller,
        mut request: api::RecordProceedingsRequest,
    ) -> Result<api::RecordProceedingsResponse> {
        let asked = Asked::of(&mut request)?;
        check_count(&request.dissents, "dissents")?;
        check_count(&request.readers, "readers")?;
        if request.text.len() > LARGEST_TEXT {
            return Err(jiyao_extract::too_large(LARGEST_TEXT, "text"));
        }
        let proceedings = api::Proceedings {
            minutes: request.minutes,
            text: request.text,
            dissents: request.dissents,
            readers: request.readers,
            ..api::Proceedings::default()
        };
        let step = Step::Keep(Box::new(proceedings));
        let committed = self.records.ledger.submit(&caller, asked, Command::Step(step)).await?;
        let kept =
            api::RecordProceedingsResponse::decode(committed.answer.as_slice()).map_err(Fault::internal)?;
        Ok(api::RecordProceedingsResponse { position: Some(cursor_to(&committed.cursor)), ..kept })
    }

    /// Whoever it does not name is not told whether there is one.
    async fn get_proceedings(
        &self,
        caller: Caller,
        request: api::GetProceedingsRequest,
    ) -> Result<api::GetProceedingsResponse> {
        let name = Minutes::parse(&request.minutes, "minutes")?;
        let ((kept, recusals), _) = self.records.ledger.get()?.read(|view| {
            sight::check(view, &caller.principal, &name, "minutes")?;
            view.document(&name, "minutes")?;
            Ok((view.get(&keys::proceedings(&name))?, view.get(&keys::recusals(&name))?))
        })?;
        let closed = || Fault::new(Reason::ProceedingsClosed).with("minutes", &name);
        let kept = api::Proceedings::decode(kept.ok_or_else(closed)?.as_slice()).map_err(Fault::internal)?;
        let who = &caller.principal.name;
        if kept.keeper != *who && !kept.readers.contains(who) {
            return Err(closed());
        }
        let known =
            RecusalsKnown::decode(recusals.unwrap_or_default().as_slice()).map_err(Fault::internal)?;
        let proceedings = Some(api::Proceedings { recusals: known.recusals, ..kept });
        Ok(api::GetProceedingsResponse { proceedings })
    }

    async fn set_sign_off(
        &self,
        caller: Caller,
        mut request: api::SetSignOffRequest,
    ) -> Result<api::SetSignOffResponse> {
        let asked = Asked::of(&mut request)?;
        let organ = Organ::parse(&request.organ, "organ")?;
        let wanted = request.sign_off.clone().ok_or_else(|| Fault::required("sign_off"))?;
        let sign_off = Box::new(jiyao_wire::sign_off_from(wanted)?);
        let step = Step::SignOff { organ, sign_off };
        let committed = self.records.ledger.submit(&caller, asked, Command::Step(step)).await?;
        Ok(api::SetSignOffResponse {
            sign_off: request.sign_off,
            position: Some(cursor_to(&committed.cursor)),
        })
    }

    async fn get_sign_off(
        &self,
        _: Caller,
        request: api::GetSignOffRequest,
    ) -> Result<api::GetSignOffResponse> {
        let name = Organ::parse(&request.organ, "organ")?;
        let (sign_off, _) = self.records.ledger.get()?.read(|view| {
            view.organ(&name, "organ")?;
            view.sign_off(&name)
        })?;
        Ok(api::GetSignOffResponse { sign_off: Some(jiyao_wire::sign_off_to(&sign_off)) })
    }
}

service! {
    LifecycleService for LifecycleApi;
    acts step -> minutes {
        submit_minutes: SubmitMinutesRequest => SubmitMinutesResponse;
        review_minutes: ReviewMinutesRequest => ReviewMinutesResponse;
        sign_minutes: SignMinutesRequest => SignMinutesResponse;
        proofread_minutes: ProofreadMinutesRequest => ProofreadMinutesResponse;
        register_minutes: RegisterMinutesRequest => RegisterMinutesResponse;
        print_minutes: PrintMinutesRequest => PrintMinutesResponse;
        issue_minutes: IssueMinutesRequest => IssueMinutesResponse;
        publish_minutes: PublishMinutesRequest => PublishMinutesResponse;
        mark_passage: MarkPassageRequest => MarkPassageResponse;
        archive_minutes: ArchiveMinutesRequest => ArchiveMinutesResponse;
        record_quorum_outcome: RecordQuorumOutcomeRequest => RecordQuorumOutcomeResponse;
        propose_disclosure: ProposeDisclosureRequest => ProposeDisclosureResponse;
        set_secrecy: SetSecrecyRequest => SetSecrecyResponse;
        flag_major_decision: FlagMajorDecisionRequest => FlagMajorDecisionResponse;
        declassify_minutes: DeclassifyMinutesRequest => DeclassifyMinutesResponse;
        reclassify_minutes: ReclassifyMinutesRequest => ReclassifyMinutesResponse;
        revoke_minutes: RevokeMinutesRequest => RevokeMinutesResponse;
        repeal_minutes: RepealMinutesRequest => RepealMinutesResponse;
        void_import: VoidImportRequest => VoidImportResponse;
    }
    calls {
        update_draft: UpdateDraftRequest => UpdateDraftResponse;
        compare_versions: CompareVersionsRequest => CompareVersionsResponse;
        get_standing: GetStandingRequest => GetStandingResponse;
        record_proceedings: RecordProceedingsRequest => RecordProceedingsResponse;
        get_proceedings: GetProceedingsRequest => GetProceedingsResponse;
        set_sign_off: SetSignOffRequest => SetSignOffResponse;
        get_sign_off: GetSignOffRequest => GetSignOffResponse;
    }
}
