use jiyao_deliveries::RequestAct;
use jiyao_proto::distribution::v1 as wire;

use crate::{Client, Error, Page};

/// Minutes that are public.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// `organs/{organ}/minutes/{minutes}`.
    pub name: String,
    /// The title.
    pub title: String,
    /// 发文字号.
    pub number: String,
    /// When they were made public, ISO.
    pub published: String,
    /// The office that they are of.
    pub source: String,
    /// 附注.
    pub note: String,
    /// Only the separable part.
    pub is_separable: bool,
}

fn published(of: wire::Published) -> Published {
    Published {
        name: of.name,
        title: of.title,
        number: of.number,
        published: of.published,
        source: of.source,
        note: of.note,
        is_separable: of.separable,
    }
}

/// Where minutes stand towards the public (requirements 44 and 45).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publication {
    /// `organs/{organ}/minutes/{minutes}`.
    pub minutes: String,
    /// `DUE`, `OVERDUE`, `PUBLISHED`, `WITHHELD`, `TO_REASSESS`, `ON_REQUEST` or `HOLIDAYS_UNKNOWN`.
    pub standing: String,
    /// Last day to publish, ISO; may be empty, as the next two.
    pub due: String,
    /// When they were made public, ISO.
    pub published: String,
    /// When they are looked at again, ISO.
    pub reassess: String,
}

fn publication(of: wire::Publication) -> Publication {
    let wire::Publication { minutes, standing, due, published, reassess } = of;
    Publication { minutes, standing, due, published, reassess }
}

/// A request for disclosure (依申请公开, requirement 49).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DisclosureRequest {
    /// `organs/{organ}/disclosureRequests/{request}`.
    pub name: String,
    /// Who asks.
    pub applicant: String,
    /// For what.
    pub subject: String,
    /// `organs/{organ}/minutes/{minutes}` that it is about; may be empty.
    pub minutes: String,
    /// When it came in, ISO.
    pub received: String,
    /// `OPEN`, `AWAITING_COMPLETION`, `AWAITING_THIRD_PARTY`, `ANSWERED` or `DROPPED`.
    pub state: String,
    /// Last day to answer, ISO; empty where a year has no holiday table.
    pub due: String,
    /// Past that day, and not answered.
    pub is_late: bool,
    /// Counts acts: what an etag compares with.
    pub version: u64,
    /// Day, act and principal of each act, oldest first; empty in lists.
    pub history: Vec<String>,
}

fn disclosure_request(of: wire::DisclosureRequest) -> DisclosureRequest {
    DisclosureRequest {
        name: of.name,
        applicant: of.applicant,
        subject: of.subject,
        minutes: of.minutes,
        received: of.received,
        state: of.state,
        due: of.due,
        is_late: of.late,
        version: of.version,
        history: of.history,
    }
}

impl Client {
    /// A page of an organ's minutes by where they stand towards the public; `standing` empty: any. `as_of` is an ISO
    /// date, empty: today.
    ///
    /// # Errors
    /// `FIELD_INVALID`, `PAGE_TOKEN_INVALID`.
    pub async fn list_publications(
        &self,
        organ: &str,
        standing: &str,
        as_of: &str,
        page: Option<&str>,
    ) -> Result<Page<Publication>, Error> {
        let request = wire::ListPublicationsRequest {
            parent: organ.to_owned(),
            standing: standing.to_owned(),
            as_of: as_of.to_owned(),
            page_size: 0,
            page_token: page.unwrap_or_default().to_owned(),
        };
        let answer = self.distribution.call(request).await?;
        Ok(Page::of(answer.publications, answer.next_page_token, |of| Some(publication(of))))
    }

    /// Sets when withheld minutes are looked at again.
    ///
    /// # Errors
    /// `NOT_STATED`, `FIELD_INVALID`, `STATE_FORBIDS`.
    pub async fn set_reassessment(&self, minutes: &str, date: &str) -> Result<Publication, Error> {
        let what = "set a reassessment";
        let request = wire::SetReassessmentRequest {
            minutes: minutes.to_owned(),
            date: date.to_owned(),
            request_id: String::new(),
        };
        let answer = self.distribution.call(request).await?;
        answer.publication.map(publication).ok_or_else(|| self.distribution.malformed(what))
    }

    /// Registers a request for disclosure; of `request` the fields applicant, subject, minutes and received are sent.
    ///
    /// # Errors
    /// `FIELD_REQUIRED`, `FIELD_INVALID`, `NAME_INVALID`.
    pub async fn create_disclosure_request(
        &self,
        organ: &str,
        request: DisclosureRequest,
    ) -> Result<DisclosureRequest, Error> {
        let what = "register a request";
        let request = wire::CreateDisclosureRequestRequest {
            parent: organ.to_owned(),
            applicant: request.applicant,
            subject: request.subject,
            minutes: request.minutes,
            received: request.received,
            request_id: String::new(),
        };
        let answer = self.distribution.call(request).await?;
        answer.request.map(disclosure_request).ok_or_else(|| self.distribution.malformed(what))
    }

    /// One request for disclosure, as of an ISO date; empty: today.
    ///
    /// # Errors
    /// `REQUEST_NOT_FOUND`, `FIELD_INVALID`.
    pub async fn disclosure_request(&self, name: &str, as_of: &str) -> Result<DisclosureRequest, Error> {
        let what = "get a request";
        let request = wire::GetDisclosureRequestRequest { name: name.to_owned(), as_of: as_of.to_owned() };
        let answer = self.distribution.call(request).await?;
        answer.request.map(disclosure_request).ok_or_else(|| self.distribution.malformed(what))
    }

    /// A page of the register, the newest first; `late`: only those past their day, as of an ISO date.
    ///
    /// # Errors
    /// `FIELD_INVALID`, `PAGE_TOKEN_INVALID`.
    pub async fn list_disclosure_requests(
        &self,
        organ: &str,
        late: bool,
        as_of: &str,
        page: Option<&str>,
    ) -> Result<Page<DisclosureRequest>, Error> {
        let request = wire::ListDisclosureRequestsRequest {
            parent: organ.to_owned(),
            late,
            as_of: as_of.to_owned(),
            page_size: 0,
            page_token: page.unwrap_or_default().to_owned(),
        };
        let answer = self.distribution.call(request).await?;
        Ok(Page::of(answer.requests, answer.next_page_token, |of| Some(disclosure_request(of))))
    }

    /// Does something with a request for disclosure: each act is the RPC of its name. `etag`: only if that is still
    /// its version.
    ///
    /// # Errors
    /// `REQUEST_NOT_FOUND`, `STATE_FORBIDS`, `ETAG_STALE`, `TOO_LATE`, `HOLIDAYS_UNKNOWN`, and those of the act.
    pub async fn act_on_request(
        &self,
        name: &str,
        act: RequestAct,
        etag: Option<u64>,
    ) -> Result<DisclosureRequest, Error> {
        let (name, etag) = (name.to_owned(), etag.unwrap_or(0));
        let doing = "act on a request";
        let done = match act {
            RequestAct::AskCompletion { what } => {
                self.distribution
                    .call(wire::AskCompletionRequest { name, etag, what, ..Default::default() })
                    .await?
                    .request
            }
            RequestAct::Complete => {
                self.distribution
                    .call(wire::CompleteDisclosureRequestRequest { name, etag, ..Default::default() })
                    .await?
                    .request
            }
            RequestAct::Drop { reason } => {
                self.distribution
                    .call(wire::DropDisclosureRequestRequest { name, etag, reason, ..Default::default() })
                    .await?
                    .request
            }
            RequestAct::AskThirdParty { party } => {
                self.distribution
                    .call(wire::AskThirdPartyRequest { name, etag, party, ..Default::default() })
                    .await?
                    .request
            }
            RequestAct::HearThirdParty { text } => {
                self.distribution
                    .call(wire::HearThirdPartyRequest { name, etag, text, ..Default::default() })
                    .await?
                    .request
            }
            RequestAct::Extend { working_days, reason } => {
                self.distribution
                    .call(wire::ExtendDisclosureRequestRequest {
                        name,
                        etag,
                        working_days,
                        reason,
                        ..Default::default()
                    })
                    .await?
                    .request
            }
            RequestAct::Answer { kind, text } => {
                self.distribution
                    .call(wire::AnswerDisclosureRequestRequest {
                        name,
                        etag,
                        kind,
                        text,
                        ..Default::default()
                    })
                    .await?
                    .request
            }
        };
        done.map(disclosure_request).ok_or_else(|| self.distribution.malformed(doing))
    }

    /// A page of public minutes, the newest first.
    ///
    /// # Errors
    /// `PAGE_TOKEN_INVALID`, `FIELD_INVALID`.
    pub async fn list_published(&self, parent: &str, page: Option<&str>) -> Result<Page<Published>, Error> {
        let page_token = page.unwrap_or_default().to_owned();
        let request = wire::ListPublishedRequest { parent: parent.to_owned(), page_size: 0, page_token };
        let answer = self.distribution.call(request).await?;
        Ok(Page::of(answer.published, answer.next_page_token, |of| Some(published(of))))
    }

    /// The public text of minutes.
    ///
    /// # Errors
    /// `MINUTES_NOT_FOUND`, also for what is not public.
    pub async fn published(&self, name: &str) -> Result<(Published, String), Error> {
        let request = wire::GetPublishedRequest { name: name.to_owned() };
        let answer = self.distribution.call(request).await?;
        let found = answer.published.map(published);
        Ok((found.ok_or_else(|| self.distribution.malformed("get public minutes"))?, answer.text))
    }

    /// A page of public minutes that have all of these characters in a row, each with the words around them.
    ///
    /// # Errors
    /// `FIELD_REQUIRED`, `PAGE_TOKEN_INVALID`.
    pub async fn search_published(
        &self,
        parent: &str,
        query: &str,
        page: Option<&str>,
    ) -> Result<Page<(Published, String)>, Error> {
        let request = wire::SearchPublishedRequest {
            parent: parent.to_owned(),
            query: query.to_owned(),
            page_size: 0,
            page_token: page.unwrap_or_default().to_owned(),
        };
        let answer = self.distribution.call(request).await?;
        let hit = |hit: wire::Hit| Some((published(hit.published?), hit.excerpt));
        Ok(Page::of(answer.hits, answer.next_page_token, hit))
    }
}
