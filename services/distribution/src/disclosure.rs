//! What the public reads, and the register of requests, over gRPC.

use std::sync::Arc;

use jiyao_calendar::{Clock as _, Date, Holidays, SystemClock, civil_date};
use jiyao_deliveries::{DueRules, Publication, Request, RequestAct, RequestState, Standing};
use jiyao_fault::{Fault, Reason, Result};
use jiyao_ledger::{Committed, Lookup as _, Reading, from_json};
use jiyao_names::{DisclosureRequest, Minutes, Organ, Scope};
use jiyao_proto::distribution::v1::{self as api};
use jiyao_proto::journal::v1::Cursor;
use jiyao_proto::server::distribution::v1::disclosure_service_server::DisclosureService;
use jiyao_proto::server::distribution::v1::public_service_server::PublicService;
use jiyao_proto::stored::v1::Noted;
use jiyao_serve::{Asked, Caller, Interest, Page, Wanted, cursor_to, page_size, service};
use jiyao_wire::Asks;

use crate::api::Api;
use crate::documents::{Known, PublicEntry, View as _};
use crate::domain::Command;
use crate::keys;
use crate::sight;

/// Public minutes looked through for one page of a search.
const LOOKED_THROUGH: usize = 2000;

#[derive(Clone)]
pub(crate) struct PublicApi(pub(crate) Api);

fn published_to(entry: &PublicEntry) -> api::Published {
    api::Published {
        name: entry.minutes.clone(),
        title: entry.title.clone(),
        number: entry.number.clone(),
        published: entry.published.clone(),
        source: entry.issuer.clone(),
        note: entry.note.clone(),
        separable: entry.is_separable,
    }
}

fn places(parent: &str) -> Result<Vec<u8>> {
    Ok(match Scope::parse(parent, "parent")? {
        Scope::All => keys::ALL_PUBLISHED.to_vec(),
        Scope::One(organ) => keys::published(&organ),
    })
}

impl PublicApi {
    /// The public text of an entry, from the journal. None where it has just been erased. Blocks on the disk.
    fn text(&self, entry: &PublicEntry) -> Result<Option<String>> {
        let record = self.0.ledger.get()?.record(entry.sequence)?.unwrap_or_default();
        for event in &record.events {
            let noted: Noted = jiyao_ledger::decode_event(event)?;
            if noted.of != entry.minutes {
                continue;
            }
            match noted.parts.as_slice() {
                [text] => return String::from_utf8(text.clone()).map(Some).map_err(Fault::internal),
                [] => return Ok(None),
                _ => {}
            }
        }
        Err(Fault::internal(format!("record {} holds no public text", entry.sequence)))
    }

    async fn list_published(
        &self,
        caller: Caller,
        request: api::ListPublishedRequest,
    ) -> Result<api::ListPublishedResponse> {
        let prefix = places(&request.parent)?;
        let query = caller.query(&["ListPublished", &request.parent])?;
        let (size, after) = (page_size(request.page_size)?, query.after(&request.page_token)?);
        let (page, _) = self.0.ledger.get()?.read(|view| {
            Page::of(view, &prefix, &after, size, |entry| Ok(Some(published_to(&from_json(&entry)?))))
        })?;
        let next_page_token = query.token(page.next)?;
        Ok(api::ListPublishedResponse { published: page.found, next_page_token })
    }

    async fn get_published(
        &self,
        _: Caller,
        request: api::GetPublishedRequest,
    ) -> Result<api::GetPublishedResponse> {
        let name = Minutes::parse(&request.name, "name")?;
        // What is not public and what is not there look the same.
        let missing = || Fault::new(Reason::MinutesNotFound).at("name").with("minutes", &name);
        let (kept, _) = self.0.ledger.get()?.read(|view| view.value(&keys::published_at(&name)))?;
        let entry: PublicEntry = from_json(&kept.ok_or_else(missing)?)?;
        let this = self.clone();
        let read = move || Ok::<_, Fault>((this.text(&entry)?, entry));
        let (text, entry) = tokio::task::spawn_blocking(read).await.map_err(Fault::internal)??;
        let text = text.ok_or_else(missing)?;
        Ok(api::GetPublishedResponse { published: Some(published_to(&entry)), text })
    }

    async fn search_published(
        &self,
        caller: Caller,
        request: api::SearchPublishedRequest,
    ) -> Result<api::SearchPublishedResponse> {
        let prefix = places(&request.parent)?;
        let wanted = Wanted::of(&request.query)?;
        let query = caller.query(&["SearchPublished", &request.parent, wanted.as_str()])?;
        let (size, after) = (page_size(request.page_size)?, query.after(&request.page_token)?);
        let this = self.clone();
        let search = move |interest: &Interest| {
            let (entries, _) = this.0.ledger.get()?.read(|view| {
                let pairs = view.scan(&prefix, &after).take(LOOKED_THROUGH);
                pairs.map(|pair| pair.and_then(|(key, entry)| Ok((key, from_json(&entry)?)))).collect()
            })?;
            let entries: Vec<(Vec<u8>, PublicEntry)> = entries;
            let (mut hits, mut next) = (Vec::new(), None);
            let is_all = entries.len() < LOOKED_THROUGH;
            let mut last = None;
            for (key, entry) in entries {
                if hits.len() == size || interest.is_over() {
                    next = last;
                    return Ok((hits, next));
                }
                if let Some(text) = this.text(&entry)?
                    && let Some(excerpt) =
                        wanted.found_in(&format!("{}\n{}\n{text}", entry.title, entry.number))
                {
                    hits.push(api::Hit { published: Some(published_to(&entry)), excerpt });
                }
                last = Some(key);
            }
            if !is_all {
                next = last;
            }
            Ok::<_, Fault>((hits, next))
        };
        let (hits, next) = self.0.searches.have(search).await?;
        let next_page_token = query.token(next)?;
        Ok(api::SearchPublishedResponse { hits, next_page_token })
    }
}

service! {
    PublicService for PublicApi;
    calls {
        list_published: ListPublishedRequest => ListPublishedResponse;
        get_published: GetPublishedRequest => GetPublishedResponse;
        search_published: SearchPublishedRequest => SearchPublishedResponse;
    }
}

#[derive(Clone)]
pub(crate) struct DisclosureApi {
    pub(crate) api: Api,
    pub(crate) holidays: Arc<Holidays>,
    pub(crate) rules: DueRules,
}

const STANDINGS: [(Standing, &str); 7] = [
    (Standing::Due, "DUE"),
    (Standing::Overdue, "OVERDUE"),
    (Standing::Published, "PUBLISHED"),
    (Standing::Withheld, "WITHHELD"),
    (Standing::ToReassess, "TO_REASSESS"),
    (Standing::OnRequest, "ON_REQUEST"),
    (Standing::HolidaysUnknown, "HOLIDAYS_UNKNOWN"),
];

impl DisclosureApi {
    fn day(&self, as_of: &str) -> Result<Date> {
        let asked = jiyao_wire::date_from(as_of, "as_of")?;
        Ok(asked.unwrap_or_else(|| civil_date(SystemClock.now(), &self.api.time_zone)))
    }

    /// Where minutes stand; None for drafts, void ones and those without a class.
    fn publication(
        &self,
        view: &Reading<'_>,
        known: &Known,
        today: Date,
    ) -> Result<Option<api::Publication>> {
        let name = Minutes::parse(&known.minutes, "minutes")?;
        let reassess = view.value(&keys::reassess(&name))?;
        let of = Publication {
            minutes: known.minutes.clone(),
            class: known.class,
            signed: known.signed,
            issued: known.issued,
            published: known.published,
            reclassified: known.reclassified,
            reassess: reassess.map(|date| from_json(&date)).transpose()?,
        };
        // Corrected minutes are not to be made public any more; those that were stay on the list.
        let is_listed = known.is_in_force() && (known.replaced_by.is_empty() || known.published.is_some());
        let standing = of.standing(self.rules, &self.holidays, today).filter(|_| is_listed);
        let Some(standing) = standing else { return Ok(None) };
        let named = STANDINGS.iter().find(|(known, _)| *known == standing).map_or("", |(_, name)| name);
        let date = |date: Option<Date>| date.map(|date| date.to_string()).unwrap_or_default();
        Ok(Some(api::Publication {
            standing: named.to_owned(),
            due: date(of.due(self.rules, &self.holidays).ok().flatten()),
            published: date(of.published),
            reassess: date(of.reassess),
            minutes: of.minutes,
        }))
    }

    async fn list_publications(
        &self,
        caller: Caller,
        request: api::ListPublicationsRequest,
    ) -> Result<api::ListPublicationsResponse> {
        let organ = Organ::parse(&request.parent, "parent")?;
        let today = self.day(&request.as_of)?;
        if !request.standing.is_empty() && !STANDINGS.iter().any(|(_, name)| *name == request.standing) {
            return Err(Fault::invalid("standing", request.standing));
        }
        let query =
            caller.query(&["ListPublications", &request.parent, &request.standing, &request.as_of])?;
        let (size, after) = (page_size(request.page_size)?, query.after(&request.page_token)?);
        let this = self.clone();
        let read = move |view: &Reading<'_>| {
            Page::of(view, &keys::all_known(&organ), &after, size, |known| {
                let known: Known = from_json(&known)?;
                if !sight::is_seen(view, &caller.principal, &Minutes::parse(&known.minutes, "minutes")?)? {
                    return Ok(None);
                }
                let publication = this.publication(view, &known, today)?;
                Ok(publication.filter(|of| request.standing.is_empty() || of.standing == request.standing))
            })
        };
        let (page, _) = self.api.ledger.read_much(read).await?;
        let next_page_token = query.token(page.next)?;
        Ok(api::ListPublicationsResponse { publications: page.found, next_page_token })
    }

    async fn set_reassessment(
        &self,
        caller: Caller,
        mut request: api::SetReassessmentRequest,
    ) -> Result<api::SetReassessmentResponse> {
        let minutes = Minutes::parse(&request.minutes, "minutes")?;
        let asked = Asked::of(&mut request)?;
        let date = jiyao_wire::required_date(&request.date, "date")?;
        let command = Command::Reassess { minutes: minutes.clone(), date };
        let committed = self.api.ledger.submit(&caller, asked, command).await?;
        let today = self.day("")?;
        let read = |view: &Reading<'_>| self.publication(view, &view.known(&minutes, "minutes")?, today);
        let publication = self.api.ledger.read_at(&committed, read).await?;
        Ok(api::SetReassessmentResponse { publication, position: Some(cursor_to(&committed.cursor)) })
    }

    async fn create_disclosure_request(
        &self,
        caller: Caller,
        mut request: api::CreateDisclosureRequestRequest,
    ) -> Result<api::CreateDisclosureRequestResponse> {
        let organ = Organ::parse(&request.parent, "parent")?;
        let asked = Asked::of(&mut request)?;
        let received = jiyao_wire::date_from(&request.received, "received")?;
        let received = received.map_or_else(|| self.day(""), Ok)?;
        let opened = Request {
            name: String::new(),
            applicant: request.applicant,
            subject: request.subject,
            minutes: request.minutes,
            received,
            since: received,
            state: RequestState::Open,
            version: 0,
            extended: 0,
            stood_still: 0,
            asked: None,
            history: Vec::new(),
        };
        let command = Command::Register { organ, request: Box::new(opened) };
        let committed = self.api.ledger.submit(&caller, asked, command).await?;
        let name = String::from_utf8(committed.answer.clone()).map_err(Fault::internal)?;
        let made = Some(self.made(&DisclosureRequest::parse(&name, "name")?, &committed).await?);
        Ok(api::CreateDisclosureRequestResponse {
            request: made,
            position: Some(cursor_to(&committed.cursor)),
        })
    }

    /// A request as a record left it.
    async fn made(&self, name: &DisclosureRequest, committed: &Committed) -> Result<api::DisclosureRequest> {
        let today = self.day("")?;
        let request = self.api.ledger.read_at(committed, |view| view.request(name, "name")).await?;
        Ok(jiyao_wire::disclosure_request_to(&request, today, &self.holidays))
    }

    fn request(&self, name: &DisclosureRequest, as_of: &str) -> Result<api::DisclosureRequest> {
        let today = self.day(as_of)?;
        let (request, _) = self.api.ledger.get()?.read(|view| view.request(name, "name"))?;
        Ok(jiyao_wire::disclosure_request_to(&request, today, &self.holidays))
    }

    async fn get_disclosure_request(
        &self,
        _: Caller,
        request: api::GetDisclosureRequestRequest,
    ) -> Result<api::GetDisclosureRequestResponse> {
        let name = DisclosureRequest::parse(&request.name, "name")?;
        Ok(api::GetDisclosureRequestResponse { request: Some(self.request(&name, &request.as_of)?) })
    }

    async fn list_disclosure_requests(
        &self,
        caller: Caller,
        request: api::ListDisclosureRequestsRequest,
    ) -> Result<api::ListDisclosureRequestsResponse> {
        let organ = Organ::parse(&request.parent, "parent")?;
        let today = self.day(&request.as_of)?;
        let late = request.late.to_string();
        let query = caller.query(&["ListDisclosureRequests", &request.parent, &late, &request.as_of])?;
        let (size, after) = (page_size(request.page_size)?, query.after(&request.page_token)?);
        let (page, _) = self.api.ledger.get()?.read(|view| {
            Page::of(view, &keys::requests(&organ), &after, size, |kept| {
                let shown = jiyao_wire::disclosure_request_to(&from_json(&kept)?, today, &self.holidays);
                let is_wanted = !request.late || shown.late || !shown.finding.is_empty();
                Ok(is_wanted.then(|| api::DisclosureRequest { history: Vec::new(), ..shown }))
            })
        })?;
        let next_page_token = query.token(page.next)?;
        Ok(api::ListDisclosureRequestsResponse { requests: page.found, next_page_token })
    }

    async fn act<R: Asks<Act = RequestAct>>(
        &self,
        caller: Caller,
        mut request: R,
    ) -> Result<(api::DisclosureRequest, Cursor)> {
        let asked = Asked::of(&mut request)?;
        let (name, etag) = request.about();
        let name = DisclosureRequest::parse(name, "name")?;
        let command = Command::ActRequest { request: name.clone(), etag, act: Box::new(request.act()?) };
        let committed = self.api.ledger.submit(&caller, asked, command).await?;
        Ok((self.made(&name, &committed).await?, cursor_to(&committed.cursor)))
    }
}

service! {
    DisclosureService for DisclosureApi;
    acts act -> request {
        ask_completion: AskCompletionRequest => AskCompletionResponse;
        complete_disclosure_request: CompleteDisclosureRequestRequest => CompleteDisclosureRequestResponse;
        drop_disclosure_request: DropDisclosureRequestRequest => DropDisclosureRequestResponse;
        ask_third_party: AskThirdPartyRequest => AskThirdPartyResponse;
        hear_third_party: HearThirdPartyRequest => HearThirdPartyResponse;
        extend_disclosure_request: ExtendDisclosureRequestRequest => ExtendDisclosureRequestResponse;
        answer_disclosure_request: AnswerDisclosureRequestRequest => AnswerDisclosureRequestResponse;
    }
    calls {
        list_publications: ListPublicationsRequest => ListPublicationsResponse;
        set_reassessment: SetReassessmentRequest => SetReassessmentResponse;
        create_disclosure_request: CreateDisclosureRequestRequest => CreateDisclosureRequestResponse;
        get_disclosure_request: GetDisclosureRequestRequest => GetDisclosureRequestResponse;
        list_disclosure_requests: ListDisclosureRequestsRequest => ListDisclosureRequestsResponse;
    }
}
