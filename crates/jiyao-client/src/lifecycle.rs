use jiyao_minutes::{Act as LifeAct, Mark, Quorum, Stage};
use jiyao_proto::records::v1 as wire;

use crate::meetings::Recusal;
use crate::types;
use crate::{Client, Error, Minutes};

/// The record of discussion (会议记录) of minutes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proceedings {
    /// The text.
    pub text: String,
    /// Dissent: which item (from 0), who, what they said.
    pub dissents: Vec<(u32, String, String)>,
    /// Who took no part in what, as attendance says of the meeting that was held.
    pub recusals: Vec<Recusal>,
    /// Who may read it, besides the keeper.
    pub readers: Vec<String>,
    /// Who kept it.
    pub keeper: String,
    /// From 1.
    pub version: u64,
}

/// How far minutes are, and what was done with them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Life {
    /// How far.
    pub stage: Stage,
    /// Counts acts: what `etag` compares with.
    pub version: u64,
    /// 发文字号, given at 登记.
    pub number: String,
    /// 成文日期, ISO.
    pub signed_date: String,
    /// 印发日期, ISO.
    pub issued_date: String,
    /// When it was made public, ISO.
    pub published_date: String,
    /// Whether the meeting could decide.
    pub quorum: Quorum,
    /// Hash of the frozen recipients that they were issued to; empty: none.
    pub frozen: String,
    /// The correction that took its place.
    pub replaced_by: String,
    /// 撤销: no force from the beginning. ISO.
    pub revoked_date: String,
    /// 废止: no force from then on. ISO.
    pub repealed_date: String,
    /// Withdrawn as imported in error, ISO.
    pub voided_date: String,
    /// The processing sheet (文件处理单), oldest first.
    pub history: Vec<LifeEntry>,
}

/// One line of the processing sheet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LifeEntry {
    /// What was done, e.g. `SIGN`.
    pub act: String,
    /// By whom.
    pub actor: String,
    /// As what.
    pub post: String,
    /// A circle or a bare name instead of words.
    pub mark: Mark,
    /// The words that came with it.
    pub opinion: String,
    /// When, in seconds since 1970 (UTC).
    pub time: i64,
    /// To this stage.
    pub to: Stage,
    /// Signed for another (代), by this document.
    pub delegated_by: String,
}

/// One side of a comparison.
#[derive(Clone, Debug)]
pub enum Side {
    /// A revision of minutes, 0 the newest.
    Revision(String, u64),
    /// A text.
    Text(String),
}

/// A changed clause: as it was and as it is; empty where it is new or gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClauseChange {
    /// As it was.
    pub before: String,
    /// As it is.
    pub after: String,
}

pub(crate) fn life(of: wire::Life) -> Life {
    let stage = |stage: i32| jiyao_wire::stage_from(stage).unwrap_or_default();
    let entry = |entry: wire::LifeEntry| LifeEntry {
        mark: jiyao_wire::mark_from(entry.mark).unwrap_or_default(),
        to: stage(entry.to),
        time: entry.time.map_or(0, |time| time.seconds),
        act: entry.act,
        actor: entry.actor,
        post: entry.post,
        opinion: entry.opinion,
        delegated_by: entry.delegated_by,
    };
    Life {
        stage: stage(of.stage),
        version: of.version,
        number: of.number,
        signed_date: of.signed_date,
        issued_date: of.issued_date,
        published_date: of.published_date,
        quorum: jiyao_wire::quorum_from(of.quorum).unwrap_or_default(),
        frozen: of.frozen_scope.map(|scope| scope.hash).unwrap_or_default(),
        replaced_by: of.replaced_by,
        revoked_date: of.revoked_date,
        repealed_date: of.repealed_date,
        voided_date: of.voided_date,
        history: of.history.into_iter().map(entry).collect(),
    }
}

impl Client {
    /// Does something with minutes: each act is the RPC of its name. `etag`: only if that is still the version of
    /// their life. The number of a registration is the service's; an `Amend` is [`Client::update_draft`], and a
    /// `Replace` comes of issuing a correction: both are refused here, nothing is sent.
    ///
    /// # Errors
    /// `MINUTES_NOT_FOUND`, `STATE_FORBIDS`, `ETAG_STALE`, `MINUTES_ERASED`, and those of the act.
    pub async fn step(&self, name: &str, act: LifeAct, etag: Option<u64>) -> Result<Minutes, Error> {
        let (name, etag) = (name.to_owned(), etag.unwrap_or(0));
        let what = "act on minutes";
        let done = match act {
            LifeAct::Submit { opinion } => {
                self.records
                    .call(wire::SubmitMinutesRequest { name, etag, opinion, ..Default::default() })
                    .await?
                    .minutes
            }
            LifeAct::Review { post, mark, opinion, approve } => {
                self.records
                    .call(wire::ReviewMinutesRequest {
                        name,
                        etag,
                        post,
                        mark: jiyao_wire::mark_to(mark).into(),
                        opinion,
                        decision: jiyao_wire::ruling_to(approve).into(),
                        ..Default::default()
                    })
                    .await?
                    .minutes
            }
            LifeAct::Sign { post, mark, opinion, date, disclosure } => {
                self.records
                    .call(wire::SignMinutesRequest {
                        name,
                        etag,
                        post,
                        mark: jiyao_wire::mark_to(mark).into(),
                        opinion,
                        date: date.map(|date| date.to_string()).unwrap_or_default(),
                        disclosure: disclosure.as_ref().map(jiyao_wire::disclosure_to),
                        ..Default::default()
                    })
                    .await?
                    .minutes
            }
            LifeAct::Proofread { opinion } => {
                self.records
                    .call(wire::ProofreadMinutesRequest { name, etag, opinion, ..Default::default() })
                    .await?
                    .minutes
            }
            LifeAct::Register { series, copies, scope, .. } => {
                self.records
                    .call(wire::RegisterMinutesRequest {
                        name,
                        etag,
                        series,
                        copies,
                        scope,
                        ..Default::default()
                    })
                    .await?
                    .minutes
            }
            LifeAct::Print { copies } => {
                self.records
                    .call(wire::PrintMinutesRequest { name, etag, copies, ..Default::default() })
                    .await?
                    .minutes
            }
            LifeAct::Issue => {
                self.records
                    .call(wire::IssueMinutesRequest { name, etag, ..Default::default() })
                    .await?
                    .minutes
            }
            LifeAct::Publish { place, separable } => {
                self.records
                    .call(wire::PublishMinutesRequest { name, etag, place, separable, ..Default::default() })
                    .await?
                    .minutes
            }
            LifeAct::MarkPassage { passage } => {
                self.records
                    .call(wire::MarkPassageRequest {
                        name,
                        etag,
                        quote: passage.quote,
                        class: jiyao_wire::class_to(passage.class).into(),
                        reason: passage.reason,
                        ..Default::default()
                    })
                    .await?
                    .minutes
            }
            LifeAct::Archive { file } => {
                self.records
                    .call(wire::ArchiveMinutesRequest { name, etag, file, ..Default::default() })
                    .await?
                    .minutes
            }
            LifeAct::RecordQuorum { outcome, reason } => {
                self.records
                    .call(wire::RecordQuorumOutcomeRequest {
                        name,
                        etag,
                        outcome: jiyao_wire::quorum_to(outcome).into(),
                        reason,
                        ..Default::default()
                    })
                    .await?
                    .minutes
            }
            LifeAct::ProposeDisclosure { disclosure } => {
                self.records
                    .call(wire::ProposeDisclosureRequest {
                        name,
                        etag,
                        disclosure: Some(jiyao_wire::disclosure_to(&disclosure)),
                        ..Default::default()
                    })
                    .await?
                    .minutes
            }
            LifeAct::SetSecrecy { secrecy, reason } => {
                self.records
                    .call(wire::SetSecrecyRequest {
                        name,
                        etag,
                        secrecy: secrecy.as_ref().map(jiyao_wire::secrecy_to),
                        reason,
                        ..Default::default()
                    })
                    .await?
                    .minutes
            }
            LifeAct::Declassify { document, reason } => {
                self.records
                    .call(wire::DeclassifyMinutesRequest {
                        name,
                        etag,
                        document,
                        reason,
                        ..Default::default()
                    })
                    .await?
                    .minutes
            }
            LifeAct::Reclassify { disclosure, reason } => {
                self.records
                    .call(wire::ReclassifyMinutesRequest {
                        name,
                        etag,
                        disclosure: Some(jiyao_wire::disclosure_to(&disclosure)),
                        reason,
                        ..Default::default()
                    })
                    .await?
                    .minutes
            }
            LifeAct::FlagMajor { major } => {
                self.records
                    .call(wire::FlagMajorDecisionRequest {
                        name,
                        etag,
                        item_index: major.item,
                        review: major.review,
                        review_date: major.review_date.to_string(),
                        differs: major.differs,
                        reason: major.reason,
                        ..Default::default()
                    })
                    .await?
                    .minutes
            }
            LifeAct::Revoke { document, reason } => {
                self.records
                    .call(wire::RevokeMinutesRequest { name, etag, document, reason, ..Default::default() })
                    .await?
                    .minutes
            }
            LifeAct::Repeal { from, document, reason } => {
                self.records
                    .call(wire::RepealMinutesRequest {
                        name,
                        etag,
                        from: from.to_string(),
                        document,
                        reason,
                        ..Default::default()
                    })
                    .await?
                    .minutes
            }
            LifeAct::Void { reason } => {
                self.records
                    .call(wire::VoidImportRequest { name, etag, reason, ..Default::default() })
                    .await?
                    .minutes
            }
            LifeAct::Amend { .. }
            | LifeAct::Replace { .. }
            | LifeAct::Reinstate { .. }
            | LifeAct::RecordScope { .. } => {
                return Err(Error::settings(what, "a service makes this act by itself"));
            }
        };
        done.map(types::minutes).ok_or_else(|| self.records.malformed(what))
    }

    /// Keeps the record of discussion (会议记录) of minutes: the text, dissent by item (from 0), person and words, and
    /// who else may read it.
    ///
    /// # Errors
    /// `MINUTES_NOT_FOUND`, `FIELD_REQUIRED`, `FIELD_INVALID`, `SOURCE_TOO_LARGE`.
    pub async fn keep_proceedings(
        &self,
        minutes: &str,
        text: &str,
        dissents: Vec<(u32, String, String)>,
        readers: Vec<String>,
    ) -> Result<u64, Error> {
        let dissent = |(item_index, person, words)| wire::Dissent { item_index, person, words };
        let request = wire::RecordProceedingsRequest {
            minutes: minutes.to_owned(),
            text: text.to_owned(),
            dissents: dissents.into_iter().map(dissent).collect(),
            readers,
            request_id: String::new(),
        };
        Ok(self.records.call(request).await?.version)
    }

    /// The record of discussion of minutes, for whom it names; with who took no part in what, as attendance says.
    ///
    /// # Errors
    /// `MINUTES_NOT_FOUND`, `PROCEEDINGS_CLOSED`.
    pub async fn proceedings(&self, minutes: &str) -> Result<Proceedings, Error> {
        let request = wire::GetProceedingsRequest { minutes: minutes.to_owned() };
        let what = "get a record of discussion";
        let answer = self.records.call(request).await?;
        let of = answer.proceedings.ok_or_else(|| self.records.malformed(what))?;
        let dissent = |of: wire::Dissent| (of.item_index, of.person, of.words);
        let recusal = |of: wire::RecordedRecusal| Recusal {
            item: (of.item_index, of.item),
            person: of.person,
            ground: (of.ground, of.reason),
            decided_by: of.decided_by,
        };
        Ok(Proceedings {
            text: of.text,
            dissents: of.dissents.into_iter().map(dissent).collect(),
            recusals: of.recusals.into_iter().map(recusal).collect(),
            readers: of.readers,
            keeper: of.keeper,
            version: of.version,
        })
    }

    /// New content of a draft; `formatting`: only the setting changed; `etag`: only if that is still its newest
    /// revision.
    ///
    /// # Errors
    /// Those of [`Client::read_minutes`], `STATE_FORBIDS`, `ETAG_STALE`, `MINUTES_ERASED`.
    pub async fn update_draft(
        &self,
        name: &str,
        bytes: Vec<u8>,
        formatting: bool,
        note: &str,
        etag: Option<u64>,
    ) -> Result<Minutes, Error> {
        let request = wire::UpdateDraftRequest {
            name: name.to_owned(),
            source: Some(self.source(bytes).await?),
            formatting,
            note: note.to_owned(),
            etag: etag.unwrap_or(0),
            request_id: String::new(),
        };
        let answer = self.records.call(request).await?;
        answer.minutes.map(types::minutes).ok_or_else(|| self.records.malformed("update a draft"))
    }

    /// The clauses that differ.
    ///
    /// # Errors
    /// `MINUTES_NOT_FOUND`, `SOURCE_TOO_LARGE`.
    pub async fn compare(&self, before: Side, after: Side) -> Result<Vec<ClauseChange>, Error> {
        let side = |side: Side| wire::Side {
            of: Some(match side {
                Side::Revision(name, revision) => {
                    wire::side::Of::Revision(wire::RevisionName { name, revision })
                }
                Side::Text(text) => wire::side::Of::Text(text),
            }),
        };
        let request = wire::CompareVersionsRequest { before: Some(side(before)), after: Some(side(after)) };
        let answer = self.records.call(request).await?;
        let change = |change: wire::ClauseChange| ClauseChange { before: change.before, after: change.after };
        Ok(answer.changes.into_iter().map(change).collect())
    }

    /// Where minutes stand in law on an ISO date, or today: the name of a `LegalStanding`, e.g. `IN_FORCE`, and the
    /// correction that took their place.
    ///
    /// # Errors
    /// `MINUTES_NOT_FOUND`, `FIELD_INVALID`.
    pub async fn standing(&self, name: &str, as_of: Option<&str>) -> Result<(String, String), Error> {
        let as_of = as_of.unwrap_or_default().to_owned();
        let request = wire::GetStandingRequest { name: name.to_owned(), as_of };
        let answer = self.records.call(request).await?;
        let standing = answer.standing().as_str_name().trim_start_matches("LEGAL_STANDING_").to_owned();
        Ok((standing, answer.replaced_by))
    }
}
