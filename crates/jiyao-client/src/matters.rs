use jiyao_matters::{Act, Bulletin, State};
use jiyao_proto::records::v1 as wire;

use crate::types::Position;
use crate::watch::Watch;
use crate::{Client, Error, Page};

/// A matter of follow-through (督办事项) in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatterSummary {
    /// `organs/{organ}/matters/{matter}`.
    pub name: String,
    /// E.g. `督〔2020〕3号`.
    pub number: String,
    /// What is to be done.
    pub content: String,
    /// The one unit that leads.
    pub lead: String,
    /// Where it stands.
    pub state: State,
    /// The day in force, ISO; empty where none was set.
    pub due: String,
    /// The light, as the organ's rules name it; empty where nothing is open.
    pub light: String,
    /// `organs/{organ}/minutes/{minutes}`.
    pub minutes: String,
    /// The item's number as printed.
    pub item_number: String,
    /// Item and decision of the minutes, from 0; no decision where it was made by hand.
    pub decision: (u32, Option<u32>),
    /// The verdict as printed.
    pub verdict: String,
    /// What comes next, in words.
    pub next: String,
}

/// A matter with its history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matter {
    /// In short.
    pub summary: MatterSummary,
    /// Counts acts: what `etag` compares with.
    pub version: u64,
    /// Words of the paragraph that it was made of.
    pub text: String,
    /// Units that help.
    pub helpers: Vec<String>,
    /// The draft must be revised before the next act.
    pub to_revise: bool,
    /// The body that must decide; empty where none must.
    pub next_body: String,
    /// The deadline as the minutes print it.
    pub printed_due: String,
    /// When the decision takes effect, ISO.
    pub effective_date: String,
    /// Everything done, oldest first.
    pub history: Vec<MatterEntry>,
    /// What is to be looked at: code, day, whom it concerns.
    pub findings: Vec<(String, String, String)>,
}

/// One line of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatterEntry {
    /// What was done, e.g. `ACCEPT`.
    pub act: String,
    /// By whom.
    pub actor: String,
    /// For which unit.
    pub unit: String,
    /// When, in seconds since 1970 (UTC).
    pub time: i64,
    /// To this state.
    pub to: State,
    /// The words that came with it.
    pub words: String,
}

/// A matter to make by hand of a paragraph.
#[derive(Clone, Debug, Default)]
pub struct NewMatter {
    /// `organs/{organ}/minutes/{minutes}`, issued.
    pub minutes: String,
    /// Item, from 0.
    pub item: u32,
    /// Words of the paragraph.
    pub text: String,
    /// What is to be done.
    pub content: String,
    /// The one unit that leads.
    pub lead: String,
    /// Units that help.
    pub helpers: Vec<String>,
    /// By when, ISO.
    pub due: String,
    /// Who raised it and waits for an answer.
    pub raised_by: String,
}

/// By what a board's rows are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BoardBy {
    /// Lead units.
    #[default]
    Unit,
    /// Meetings.
    Meeting,
    /// Months in which matters were made.
    Month,
}

/// Counts of some matters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BoardRow {
    /// Unit, minutes or month.
    pub of: String,
    /// All.
    pub total: u64,
    /// By state.
    pub states: Vec<(State, u64)>,
    /// Open ones by light.
    pub lights: Vec<(String, u64)>,
}

/// Counts of an organ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Board {
    /// In order.
    pub rows: Vec<BoardRow>,
    /// All of them.
    pub total: BoardRow,
    /// The day it is of, ISO.
    pub as_of: String,
}

/// What became of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Became {
    /// Verdict as printed.
    pub verdict: String,
    /// The matter in short.
    pub matter: MatterSummary,
    /// The last words on it.
    pub last_evidence: String,
    /// Their day, ISO.
    pub last_evidence_date: String,
    /// The next day that counts, ISO.
    pub next_date: String,
}

/// What was made of minutes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picked {
    /// New matters, in the order of the text.
    pub matters: Vec<Matter>,
    /// Item, decision and code of what a person should look at.
    pub left_out: Vec<(u32, u32, String)>,
}

fn state(state: i32) -> State {
    jiyao_wire::state_from(state).unwrap_or(State::Established)
}

fn summary(of: wire::MatterSummary) -> MatterSummary {
    MatterSummary {
        state: state(of.state),
        decision: (of.item_index, u32::try_from(of.decision_index).ok()),
        name: of.name,
        number: of.number,
        content: of.content,
        lead: of.lead,
        due: of.due,
        light: of.light,
        minutes: of.minutes,
        item_number: of.item_number,
        verdict: of.verdict,
        next: of.next,
    }
}

fn matter(of: wire::Matter) -> Option<Matter> {
    let entry = |entry: wire::MatterEntry| MatterEntry {
        to: state(entry.to),
        time: entry.time.map_or(0, |time| time.seconds),
        act: entry.act,
        actor: entry.actor,
        unit: entry.unit,
        words: entry.words,
    };
    Some(Matter {
        summary: summary(of.summary?),
        version: of.version,
        text: of.text,
        helpers: of.helpers,
        to_revise: of.to_revise,
        next_body: of.next_body,
        printed_due: of.printed_due,
        effective_date: of.effective_date,
        history: of.history.into_iter().map(entry).collect(),
        findings: of.findings.into_iter().map(|finding| (finding.code, finding.day, finding.about)).collect(),
    })
}

/// What should not be once all is done; empty when all is well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closure {
    /// Matters without an end state: of the meeting, or of the organ and overdue.
    pub unclosed: Vec<MatterSummary>,
    /// Closed matters whose raiser has no answer.
    pub unanswered: Vec<MatterSummary>,
}

fn row(of: wire::BoardRow) -> BoardRow {
    BoardRow {
        of: of.of,
        total: of.total,
        states: of.states.into_iter().map(|count| (state(count.state), count.count)).collect(),
        lights: of.lights.into_iter().map(|count| (count.light, count.count)).collect(),
    }
}

impl Client {
    /// Makes a matter of each decision of issued minutes that has none yet.
    ///
    /// # Errors
    /// `MINUTES_NOT_FOUND`, `NOT_ISSUED`, `DISK_FULL`.
    pub async fn pick_matters(&self, minutes: &str) -> Result<Picked, Error> {
        let left_out = |left: wire::LeftOut| (left.item_index, left.decision_index, left.code);
        let (mut picked, mut page_token) = (Picked::default(), String::new());
        loop {
            let (minutes, request_id) = (minutes.to_owned(), String::new());
            let request = wire::PickMattersRequest { minutes, page_token, request_id };
            let answer = self.records.call(request).await?;
            picked.matters.extend(answer.matters.into_iter().filter_map(matter));
            picked.left_out.extend(answer.left_out.into_iter().map(left_out));
            page_token = answer.next_page_token;
            if page_token.is_empty() {
                return Ok(picked);
            }
        }
    }

    /// Makes a matter by hand.
    ///
    /// # Errors
    /// `MINUTES_NOT_FOUND`, `NOT_ISSUED`, `FIELD_REQUIRED`, `FIELD_INVALID`, `DISK_FULL`.
    pub async fn create_matter(&self, new: NewMatter) -> Result<Matter, Error> {
        let request = wire::CreateMatterRequest {
            minutes: new.minutes,
            item_index: new.item,
            text: new.text,
            content: new.content,
            lead: new.lead,
            helpers: new.helpers,
            due: new.due,
            raised_by: new.raised_by,
            request_id: String::new(),
            ..wire::CreateMatterRequest::default()
        };
        let answer = self.records.call(request).await?;
        answer.matter.and_then(matter).ok_or_else(|| self.records.malformed("make a matter"))
    }

    /// Does something with a matter: each act is the RPC of its name. `etag`: only if that is still its version.
    ///
    /// # Errors
    /// `MATTER_NOT_FOUND`, `STATE_FORBIDS`, `ETAG_STALE`, and those of the act.
    pub async fn act(&self, name: &str, act: Act, etag: Option<u64>) -> Result<Matter, Error> {
        let (name, etag) = (name.to_owned(), etag.unwrap_or(0));
        let what = "act on a matter";
        let done = match act {
            Act::Approve { opinion } => {
                self.records
                    .call(wire::ApproveMatterRequest { name, etag, opinion, ..Default::default() })
                    .await?
                    .matter
            }
            Act::Notify { notice } => {
                self.records
                    .call(wire::NotifyMatterRequest { name, etag, notice, ..Default::default() })
                    .await?
                    .matter
            }
            Act::Accept => {
                self.records
                    .call(wire::AcceptMatterRequest { name, etag, ..Default::default() })
                    .await?
                    .matter
            }
            Act::Progress { text } => {
                self.records
                    .call(wire::RecordProgressRequest { name, etag, text, ..Default::default() })
                    .await?
                    .matter
            }
            Act::Revise { title } => {
                self.records
                    .call(wire::RecordRevisionRequest { name, etag, title, ..Default::default() })
                    .await?
                    .matter
            }
            Act::Dispatch { paper } => {
                self.records
                    .call(wire::DispatchMatterRequest { name, etag, paper, ..Default::default() })
                    .await?
                    .matter
            }
            Act::RecordOutcome { text, approved, document } => {
                self.records
                    .call(wire::RecordOutcomeRequest {
                        name,
                        etag,
                        text,
                        decision: jiyao_wire::ruling_to(approved).into(),
                        document,
                        ..Default::default()
                    })
                    .await?
                    .matter
            }
            Act::RecordIssued { number, date } => {
                self.records
                    .call(wire::RecordIssuedDocumentRequest {
                        name,
                        etag,
                        number,
                        date: date.to_string(),
                        ..Default::default()
                    })
                    .await?
                    .matter
            }
            Act::Reach { milestone, text } => {
                self.records
                    .call(wire::ReachMilestoneRequest { name, etag, milestone, text, ..Default::default() })
                    .await?
                    .matter
            }
            Act::Report { text, approver } => {
                self.records
                    .call(wire::ReportMatterRequest { name, etag, text, approver, ..Default::default() })
                    .await?
                    .matter
            }
            Act::Review { accept, reason } => {
                self.records
                    .call(wire::ReviewMatterRequest {
                        name,
                        etag,
                        decision: jiyao_wire::ruling_to(accept).into(),
                        reason,
                        ..Default::default()
                    })
                    .await?
                    .matter
            }
            Act::AskExtension { due, reason, progress } => {
                self.records
                    .call(wire::AskExtensionRequest {
                        name,
                        etag,
                        due: due.to_string(),
                        reason,
                        progress,
                        ..Default::default()
                    })
                    .await?
                    .matter
            }
            Act::DecideExtension { grant, reason } => {
                self.records
                    .call(wire::DecideExtensionRequest {
                        name,
                        etag,
                        decision: jiyao_wire::ruling_to(grant).into(),
                        reason,
                        ..Default::default()
                    })
                    .await?
                    .matter
            }
            Act::Suspend { decision, reason } => {
                self.records
                    .call(wire::SuspendMatterRequest { name, etag, decision, reason, ..Default::default() })
                    .await?
                    .matter
            }
            Act::Resume { reason } => {
                self.records
                    .call(wire::ResumeMatterRequest { name, etag, reason, ..Default::default() })
                    .await?
                    .matter
            }
            Act::StrikeOff { evidence, reason } => {
                self.records
                    .call(wire::StrikeOffMatterRequest {
                        name,
                        etag,
                        evidence: evidence
                            .into_iter()
                            .map(|file| wire::Evidence { title: file.title, sha256: file.sha256 })
                            .collect(),
                        reason,
                        ..Default::default()
                    })
                    .await?
                    .matter
            }
            Act::Reopen { reason } => {
                self.records
                    .call(wire::ReopenMatterRequest { name, etag, reason, ..Default::default() })
                    .await?
                    .matter
            }
            Act::ListPublicly { level, deadline, notice } => {
                self.records
                    .call(wire::ListMatterPubliclyRequest {
                        name,
                        etag,
                        level,
                        deadline: deadline.to_string(),
                        notice,
                        ..Default::default()
                    })
                    .await?
                    .matter
            }
            Act::ExtendListing { deadline, reason } => {
                self.records
                    .call(wire::ExtendListingRequest {
                        name,
                        etag,
                        deadline: deadline.to_string(),
                        reason,
                        ..Default::default()
                    })
                    .await?
                    .matter
            }
            Act::Delist { notice } => {
                self.records
                    .call(wire::DelistMatterRequest { name, etag, notice, ..Default::default() })
                    .await?
                    .matter
            }
            Act::SendSlip { level, requirement, due, grave } => {
                self.records
                    .call(wire::SendSlipRequest {
                        name,
                        etag,
                        level,
                        requirement,
                        due: due.to_string(),
                        grave,
                        ..Default::default()
                    })
                    .await?
                    .matter
            }
            Act::AnswerSlip { text, excused } => {
                self.records
                    .call(wire::AnswerSlipRequest { name, etag, text, excused, ..Default::default() })
                    .await?
                    .matter
            }
            Act::Object { text } => {
                self.records
                    .call(wire::ObjectToConclusionRequest { name, etag, text, ..Default::default() })
                    .await?
                    .matter
            }
            Act::DecideObjection { upheld, reason } => {
                self.records
                    .call(wire::DecideObjectionRequest {
                        name,
                        etag,
                        decision: jiyao_wire::ruling_to(upheld).into(),
                        reason,
                        ..Default::default()
                    })
                    .await?
                    .matter
            }
            Act::Answer { to, text } => {
                self.records
                    .call(wire::AnswerRaiserRequest { name, etag, to, text, ..Default::default() })
                    .await?
                    .matter
            }
            Act::SignFor { .. } => {
                return Err(Error::settings(what, "distribution says who signed for minutes"));
            }
        };
        done.and_then(matter).ok_or_else(|| self.records.malformed(what))
    }

    /// One matter with its history.
    ///
    /// # Errors
    /// `MATTER_NOT_FOUND`.
    pub async fn matter(&self, name: &str) -> Result<Matter, Error> {
        let request = wire::GetMatterRequest { name: name.to_owned(), ..Default::default() };
        let answer = self.records.call(request).await?;
        answer.matter.and_then(matter).ok_or_else(|| self.records.malformed("get a matter"))
    }

    /// A page of matters of an organ, those due first first, or of one minutes in the order of the text.
    ///
    /// # Errors
    /// `ORGAN_NOT_FOUND`, `PAGE_TOKEN_INVALID`, `FIELD_INVALID`.
    pub async fn list_matters(
        &self,
        parent: &str,
        lead: Option<&str>,
        overdue: bool,
        page: Option<&str>,
    ) -> Result<Page<MatterSummary>, Error> {
        let read = |page_token| {
            let request = wire::ListMattersRequest {
                parent: parent.to_owned(),
                lead: lead.unwrap_or_default().to_owned(),
                overdue,
                page_token,
                page_size: 200,
                ..Default::default()
            };
            async move {
                let answer = self.records.call(request).await?;
                Ok(Page::of(answer.matters, answer.next_page_token, |of| Some(summary(of))))
            }
        };
        Page::filled(page, read).await
    }

    /// Counts of an organ, or of the only one (`organs/-`).
    ///
    /// # Errors
    /// `ORGAN_NOT_FOUND`, `FIELD_INVALID`.
    pub async fn board(&self, parent: &str, by: BoardBy) -> Result<Board, Error> {
        use wire::get_board_request::By;
        let by = match by {
            BoardBy::Unit => By::Unit,
            BoardBy::Meeting => By::Meeting,
            BoardBy::Month => By::Month,
        };
        let request =
            wire::GetBoardRequest { parent: parent.to_owned(), by: by.into(), ..Default::default() };
        let answer = self.records.call(request).await?;
        Ok(Board {
            rows: answer.rows.into_iter().map(row).collect(),
            total: row(answer.total.unwrap_or_default()),
            as_of: answer.as_of,
        })
    }

    /// What became of a decision, by item and decision from 0.
    ///
    /// # Errors
    /// `MINUTES_NOT_FOUND`, `MATTER_NOT_FOUND`.
    pub async fn what_became_of(&self, minutes: &str, item: u32, decision: u32) -> Result<Became, Error> {
        let request = wire::WhatBecameOfRequest {
            minutes: minutes.to_owned(),
            item_index: item,
            decision_index: decision,
            ..Default::default()
        };
        let answer = self.records.call(request).await?;
        let matter = answer.matter.map(summary);
        Ok(Became {
            verdict: answer.verdict,
            matter: matter.ok_or_else(|| self.records.malformed("ask what became of a decision"))?,
            last_evidence: answer.last_evidence,
            last_evidence_date: answer.last_evidence_date,
            next_date: answer.next_date,
        })
    }

    /// How the matters of minutes stand today.
    ///
    /// # Errors
    /// `MINUTES_NOT_FOUND`.
    pub async fn bulletin(&self, minutes: &str) -> Result<Bulletin, Error> {
        let request = wire::GetBulletinRequest { minutes: minutes.to_owned(), as_of: String::new() };
        let of = self.records.call(request).await?;
        Ok(Bulletin {
            total: of.total,
            closed: of.closed,
            open: of.open,
            closed_percent: of.closed_percent,
            open_percent: of.open_percent,
            laggards: of.laggards.into_iter().map(|late| (late.unit, late.overdue)).collect(),
        })
    }

    /// What of an organ, or of minutes, is not closed as it should be.
    ///
    /// # Errors
    /// `ORGAN_NOT_FOUND`, `MINUTES_NOT_FOUND`.
    pub async fn closure(&self, parent: &str) -> Result<Closure, Error> {
        let request = wire::CheckClosureRequest { parent: parent.to_owned(), as_of: String::new() };
        let of = self.records.call(request).await?;
        let summaries = |matters: Vec<wire::MatterSummary>| matters.into_iter().map(summary).collect();
        Ok(Closure { unclosed: summaries(of.unclosed), unanswered: summaries(of.unanswered) })
    }

    /// How the matters of the last meeting before a day stand (上次会议议定事项落实情况): its minutes and the matters.
    ///
    /// # Errors
    /// `ORGAN_NOT_FOUND`, `FIELD_INVALID`.
    pub async fn last_meeting(
        &self,
        organ: &str,
        before: Option<&str>,
    ) -> Result<(String, Vec<MatterSummary>), Error> {
        let request = wire::ListLastMeetingMattersRequest {
            parent: organ.to_owned(),
            before: before.unwrap_or_default().to_owned(),
            meeting_kind: String::new(),
        };
        let answer = self.records.call(request).await?;
        Ok((answer.minutes, answer.matters.into_iter().map(summary).collect()))
    }

    /// Watches the matters of an organ, or of all organs (`organs/-`), from a position on, or from the beginning.
    #[must_use]
    pub fn watch_matters(&self, parent: &str, after: Option<Position>) -> Watch<MatterSummary> {
        let after = after.map(|after| after.to_wire());
        let watching = self.watch(wire::WatchMattersRequest { parent: parent.to_owned(), after });
        watching.meaning(|answer| answer.matters.into_iter().map(summary).collect())
    }
}
