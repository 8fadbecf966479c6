//! The records service over gRPC.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use jiyao_docnum::DocumentNumber;
use jiyao_extract::{Extracted, Extractor, Format};
use jiyao_fault::{Fault, Reason, Result};
use jiyao_journal::Attachments;
use jiyao_ledger::{Committed, Ledger, Reading};
use jiyao_minutes::{Act, Identity, Version};
use jiyao_names::{Minutes, Organ, Scope, Source};
use jiyao_proto::journal::v1::event::Kind;
use jiyao_proto::records::v1::{self as api, source::From as SourceFrom};
use jiyao_proto::server::records::v1::records_service_server::RecordsService;
use jiyao_proto::stored::v1 as stored;
use jiyao_reader::Words;
use jiyao_serve::{
    Answers, Asked, CLEARED, Caller, Interest, Late, Page, Principal, Wanted, Workers, answer, cursor_from,
    cursor_to, list_of, page_size, places_of, receive, service, wait_for,
};
use jiyao_wire::{Mask, check_count};
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use crate::documents::{View as _, no_content, no_minutes};
use crate::domain::{Command, Import, MINUTES_IMPORTED, RecordsDomain, Settle};
use crate::keys;
use crate::lanes::{LONGEST_PREVIEW, Lanes};
use crate::life::MINUTES_AMENDED;
use crate::pages::Pages;
use crate::sight::{self, Sight};

/// Number of the field of minutes that is not stored with them.
const LIFE: u32 = 16;
/// Minutes that one page of a search looks through.
const LOOKED_THROUGH: usize = 200;
/// Texts that are read at once, each up to the largest file.
const TEXTS: usize = 4;
/// Largest piece of a text in one message.
const PIECE: usize = 256 << 10;
/// Largest piece of an upload in one message.
const CHUNK: usize = 64 << 10;
/// Largest text of an organ's name.
const LONGEST_NAME: usize = 200;

#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) ledger: Late<Ledger<RecordsDomain>>,
    uploads: Attachments,
    upload_limit: u64,
    pub(crate) words: Arc<Words>,
    extractor: Extractor,
    pub(crate) lanes: Lanes,
    pages: Pages<stored::EncodedListMinutesResponse>,
    /// Texts that are read at once.
    texts: Arc<Semaphore>,
    stop: CancellationToken,
}

/// Most pages that are kept: with 200 summaries each, some 2 MB.
const MOST_PAGES: usize = 64;

/// Which text is sent: that of a revision, as it was or as it was extracted.
#[derive(Clone)]
struct Text {
    name: Minutes,
    revision: u64,
    extracted: bool,
}

/// A text read, with what it was read from.
pub(crate) struct Read {
    pub(crate) original: Vec<u8>,
    /// Empty where the original is the text.
    pub(crate) text: String,
    format: Format,
    reading: jiyao_reader::Reading,
}

impl Read {
    /// Its text and what was read of it.
    pub(crate) fn version(&self) -> Version<'_> {
        let text = match self.text.as_str() {
            "" => std::str::from_utf8(&self.original).unwrap_or_default(),
            text => text,
        };
        Version { text, facts: &self.reading.facts }
    }

    /// What the reading gives of minutes.
    pub(crate) fn minutes(&self) -> api::Minutes {
        let jiyao_reader::Reading { facts, doubts, repairs, uncovered, .. } = &self.reading;
        api::Minutes {
            digest: Sha256::digest(&self.original).to_vec(),
            size: self.original.len() as u64,
            facts: Some(jiyao_wire::facts_to(facts)),
            doubts: jiyao_wire::doubts_to(facts, doubts),
            repairs: repairs.iter().map(jiyao_wire::repair_to).collect(),
            uncovered: uncovered.iter().copied().map(jiyao_wire::span_to).collect(),
            format: self.format.as_str().to_owned(),
            document_kind: jiyao_minutes::MINUTES_KIND.to_owned(),
            ..api::Minutes::default()
        }
    }
}

/// A revision of minutes, 0 the newest, with their life.
fn shown(view: &Reading<'_>, name: &Minutes, revision: u64) -> Result<api::Minutes> {
    let found = view.revision(name, revision)?.minutes.unwrap_or_default();
    let life = view.life(name, &found)?;
    Ok(api::Minutes { life: Some(jiyao_wire::life_to(&life)), ..found })
}

/// The same as it is stored, with or without their life.
fn encoded(view: &Reading<'_>, name: &Minutes, revision: u64, with_life: bool) -> Result<Vec<u8>> {
    let minutes = view.encoded(name, revision)?;
    let life = if with_life { Some(view.life_of_encoded(name, &minutes)?) } else { None };
    let life = stored::MinutesAddition { life: life.map(|life| jiyao_wire::life_to(&life)) };
    Ok([&minutes[..], &life.encode_to_vec()].concat())
}

impl Api {
    pub(crate) fn new(
        ledger: Late<Ledger<RecordsDomain>>,
        uploads: Attachments,
        upload_limit: u64,
        extractor: Extractor,
        lanes: Lanes,
        stop: CancellationToken,
    ) -> Self {
        let (words, pages) = (Arc::new(Words::default()), Pages::new(MOST_PAGES));
        let texts = Arc::new(Semaphore::new(TEXTS));
        Self { ledger, uploads, upload_limit, words, extractor, lanes, pages, texts, stop }
    }

    /// Reads a source off the async thread. What is wanted of it is made there too: a reading is many small pieces of
    /// memory, which are best given back where they were taken.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        (workers, patience): (&Workers, Duration),
        source: Option<api::Source>,
        keep_anyway: bool,
        wanted: impl FnOnce(Read) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let from = source.and_then(|source| source.from).ok_or_else(|| Fault::required("source"))?;
        let (uploads, words, extractor) =
            (self.uploads.clone(), Arc::clone(&self.words), self.extractor.clone());
        let read = move |interest: &Interest| {
            let (original, field) = match from {
                SourceFrom::Content(bytes) => (bytes, "source.content"),
                SourceFrom::Text(text) => (text.into_bytes(), "source.text"),
                SourceFrom::Uploaded(name) => {
                    let field = "source.uploaded";
                    let source = Source::parse(&name, field)?;
                    let missing = || Fault::new(Reason::SourceNotFound).at(field).with("source", &name);
                    (uploads.get(&source.digest).map_err(Fault::internal)?.ok_or_else(missing)?, field)
                }
            };
            let began = Instant::now();
            let is_wanted = || !interest.is_over() && began.elapsed() < patience;
            let Extracted { text, format } = extractor.extract_while(&original, field, &is_wanted)?;
            let reading = jiyao_reader::read(&text, &words);
            if !keep_anyway && !reading.facts.is_minutes() {
                return Err(Fault::new(Reason::NoFactFound).at(field));
            }
            let text = if format == Format::Utf8 { String::new() } else { text };
            wanted(Read { original, text, format, reading })
        };
        workers.have(read).await
    }

    async fn read_minutes(
        &self,
        _: Caller,
        request: api::ReadMinutesRequest,
    ) -> Result<api::ReadMinutesResponse> {
        let wanted = |read: Read| {
            let api::Minutes { facts, doubts, repairs, uncovered, format, .. } = read.minutes();
            Ok(api::ReadMinutesResponse { facts, doubts, repairs, text: read.text, format, uncovered })
        };
        self.read((&self.lanes.previews, LONGEST_PREVIEW), request.source, false, wanted).await
    }

    async fn import(
        &self,
        caller: Caller,
        mut request: api::ImportMinutesRequest,
    ) -> Result<stored::EncodedImportMinutesResponse> {
        let organ = Organ::parse(&request.parent, "parent")?;
        let asked = Asked::of(&mut request)?;
        let standing = match api::Standing::try_from(request.standing) {
            Ok(api::Standing::Unspecified | api::Standing::IssuedElsewhere) => api::Standing::IssuedElsewhere,
            Ok(draft @ api::Standing::Draft) => draft,
            Err(_) => return Err(Fault::invalid("standing", request.standing)),
        };
        let related = |name: &str, field| match name {
            "" => Ok(None),
            name => Minutes::parse(name, field).map(Some),
        };
        let rendition_of = related(&request.rendition_of, "rendition_of")?;
        let corrects = related(&request.corrects, "corrects")?;

        let import = move |read: Read| {
            let minutes = api::Minutes {
                standing: standing.into(),
                rendition_of: request.rendition_of,
                corrects: request.corrects,
                ..read.minutes()
            };
            let digest: [u8; 32] = minutes.digest.as_slice().try_into().map_err(Fault::internal)?;
            Ok(Import {
                organ,
                identity: Identity::of(&read.reading.facts, digest),
                original: read.original,
                text: read.text,
                digest,
                standing,
                minutes: minutes.encode_to_vec(),
                rendition_of,
                corrects,
            })
        };
        let lane = (&self.lanes.imports, Duration::MAX);
        let import = self.read(lane, request.source, request.keep_anyway, import).await?;
        let command = Command::Import(Box::new(import));
        let committed = self.ledger.submit(&caller, asked, command).await?;
        let answer =
            api::ImportMinutesResponse::decode(committed.answer.as_slice()).map_err(Fault::internal)?;
        let made = answer.minutes.unwrap_or_default();
        let name = Minutes::parse(&made.name, "name")?;
        let read = |view: &Reading<'_>| encoded(view, &name, made.revision, true);
        Ok(stored::EncodedImportMinutesResponse {
            minutes: self.ledger.read_at(&committed, read).await?.into(),
            already_recorded: answer.already_recorded,
            position: Some(cursor_to(&committed.cursor)),
        })
    }

    /// A revision of minutes, 0 the newest, with their life as it is now, and the sequence it was read at.
    pub(crate) fn revision(&self, name: &Minutes, revision: u64) -> Result<(api::Minutes, u64)> {
        self.ledger.get()?.read(|view| shown(view, name, revision))
    }

    /// The same, as a record left it.
    pub(crate) async fn made(
        &self,
        name: &Minutes,
        revision: u64,
        committed: &Committed,
    ) -> Result<api::Minutes> {
        self.ledger.read_at(committed, |view| shown(view, name, revision)).await
    }

    /// The same, as far as a mask goes and somebody may see it, and all but the life as it is stored.
    fn encoded(
        &self,
        principal: &Principal,
        name: &Minutes,
        revision: u64,
        mask: &Mask,
    ) -> Result<stored::EncodedGetMinutesResponse> {
        let read = |view: &Reading<'_>| {
            sight::check(view, principal, name, "name")?;
            encoded(view, name, revision, mask.wants(LIFE))
        };
        let (minutes, sequence) = self.ledger.get()?.read(read)?;
        let minutes = if mask.is_all() { minutes } else { mask.keep(&minutes)? };
        Ok(stored::EncodedGetMinutesResponse { minutes: minutes.into(), sequence })
    }

    /// The text of a revision, as the reader read it.
    pub(crate) async fn text_of(&self, name: &Minutes, revision: u64) -> Result<String> {
        let (ledger, name) = (self.ledger.get()?.clone(), name.clone());
        let read = move || text_at(&ledger, &name, revision);
        tokio::task::spawn_blocking(read).await.map_err(Fault::internal)?
    }

    /// A piece of a text from a place on, and how long the whole is. It is read anew for each piece: what nobody takes
    /// is not kept in memory.
    async fn piece(&self, of: Text, at: usize) -> Result<(Vec<u8>, usize)> {
        let ledger = self.ledger.get()?.clone();
        let _room = self.texts.acquire().await.map_err(Fault::internal)?;
        let read = move || {
            let (original, text) = imported_at(&ledger, &of.name, of.revision)?;
            let whole = if of.extracted && !text.is_empty() { text.into_bytes() } else { original };
            Ok((whole[at.min(whole.len())..whole.len().min(at + PIECE)].to_vec(), whole.len()))
        };
        tokio::task::spawn_blocking(read).await.map_err(Fault::internal)?
    }

    /// Records what a person decided, and answers the revision that it made.
    async fn settle(
        &self,
        caller: &Caller,
        asked: Asked,
        command: Settle,
    ) -> Result<(api::Minutes, jiyao_proto::journal::v1::Cursor)> {
        let committed = self.ledger.submit(caller, asked, Command::Settle(command)).await?;
        let made = api::Minutes::decode(committed.answer.as_slice()).map_err(Fault::internal)?;
        let name = Minutes::parse(&made.name, "name")?;
        let minutes = self.made(&name, made.revision, &committed).await?;
        Ok((minutes, cursor_to(&committed.cursor)))
    }

    async fn resolve_doubt(
        &self,
        caller: Caller,
        mut request: api::ResolveDoubtRequest,
    ) -> Result<api::ResolveDoubtResponse> {
        let asked = Asked::of(&mut request)?;
        let command = Settle {
            minutes: Minutes::parse(&request.name, "name")?,
            etag: request.etag,
            settlement: api::Settlement {
                doubt: request.doubt,
                path: request.path,
                value: request.value,
                reason: request.reason,
                ..api::Settlement::default()
            },
        };
        let (minutes, position) = self.settle(&caller, asked, command).await?;
        Ok(api::ResolveDoubtResponse { minutes: Some(minutes), position: Some(position) })
    }

    async fn correct_fact(
        &self,
        caller: Caller,
        mut request: api::CorrectFactRequest,
    ) -> Result<api::CorrectFactResponse> {
        let asked = Asked::of(&mut request)?;
        let command = Settle {
            minutes: Minutes::parse(&request.name, "name")?,
            etag: request.etag,
            settlement: api::Settlement {
                path: request.path,
                value: request.value,
                reason: request.reason,
                ..api::Settlement::default()
            },
        };
        let (minutes, position) = self.settle(&caller, asked, command).await?;
        Ok(api::CorrectFactResponse { minutes: Some(minutes), position: Some(position) })
    }

    async fn list_minutes(
        &self,
        caller: Caller,
        request: api::ListMinutesRequest,
    ) -> Result<stored::EncodedListMinutesResponse> {
        let ledger = self.ledger.get()?;
        let scope = Scope::parse(&request.parent, "parent")?;
        let size = page_size(request.page_size)?;
        for (date, field) in [(&request.date_from, "date_from"), (&request.date_to, "date_to")] {
            jiyao_wire::date_from(date, field)?;
        }
        let year = request.year.to_string();
        let query = caller.query(&[
            "ListMinutes",
            &request.parent,
            &year,
            &request.document_number,
            &request.date_from,
            &request.date_to,
        ])?;
        let after = query.after(&request.page_token)?;
        wait_for(ledger, None, request.read_after.as_ref()).await?;
        // Who is cleared sees other minutes.
        let mut question = vec![u8::from(caller.principal.is_any(CLEARED))];
        question.extend(api::ListMinutesRequest { read_after: None, ..request.clone() }.encode_to_vec());
        let ((), now) = ledger.read(|_| Ok(()))?;
        if let Some(answer) = self.pages.of(now, &question) {
            return Ok(answer);
        }
        let is_all = request.year == 0
            && [&request.document_number, &request.date_from, &request.date_to].iter().all(|f| f.is_empty());
        let number = standard_number(&request.document_number);
        let wanted = move |summary: &api::MinutesSummary| {
            let date = summary.meeting_date.as_str();
            let dated = |holds: bool| !date.is_empty() && holds;
            (request.year == 0 || dated(date.split('-').next() == Some(year.as_str())))
                && (number.is_empty() || standard_number(&summary.document_number) == number)
                && (request.date_from.is_empty() || dated(date >= request.date_from.as_str()))
                && (request.date_to.is_empty() || dated(date <= request.date_to.as_str()))
        };
        let read = move |view: &Reading<'_>| {
            existing(view, &scope)?;
            let sight = Sight::of(view, &caller.principal)?;
            let is_all = is_all && sight.is_all;
            let wanted = |value: &[u8]| {
                let summary = api::MinutesSummary::decode(value).map_err(Fault::internal)?;
                Ok::<_, Fault>(wanted(&summary) && sight.sees(view, &summary.name)?)
            };
            let take = |value: Vec<u8>| Ok((is_all || wanted(&value)?).then(|| value.into()));
            Page::of(view, &list_of(&scope), &after, size, take)
        };
        // What looks through all of them does not hold up the network.
        let (page, sequence) = if is_all {
            ledger.read(read)?
        } else {
            let ledger = ledger.clone();
            tokio::task::spawn_blocking(move || ledger.read(read)).await.map_err(Fault::internal)??
        };
        let next_page_token = query.token(page.next)?;
        let answer = stored::EncodedListMinutesResponse { minutes: page.found, next_page_token, sequence };
        self.pages.keep(sequence, question, &answer);
        Ok(answer)
    }

    async fn search_minutes(
        &self,
        caller: Caller,
        request: api::SearchMinutesRequest,
    ) -> Result<api::SearchMinutesResponse> {
        let (scope, wanted) = (Scope::parse(&request.parent, "parent")?, Wanted::of(&request.query)?);
        let query = caller.query(&["SearchMinutes", &request.parent, wanted.as_str()])?;
        let after = query.after(&request.page_token)?;
        let ledger = self.ledger.get()?;
        let (page, _) = ledger.read(|view| {
            existing(view, &scope)?;
            let sight = Sight::of(view, &caller.principal)?;
            let seen = |summary: &api::MinutesSummary| sight.sees(view, &summary.name);
            Page::read(view, &list_of(&scope), &after, LOOKED_THROUGH, seen)
        })?;
        let ledger = ledger.clone();
        let look = move |interest: &Interest| {
            let mut hits = Vec::new();
            for minutes in page.found {
                if interest.is_over() {
                    break;
                }
                let text = match text_at(&ledger, &Minutes::parse(&minutes.name, "name")?, 0) {
                    Err(fault) if fault.reason() == Reason::MinutesErased => continue,
                    text => text?,
                };
                // A number that was given here stands in no text.
                let said = format!("{}\n{text}", minutes.document_number);
                if let Some(excerpt) = wanted.found_in(&said) {
                    hits.push(api::MinutesHit { minutes: Some(minutes), excerpt });
                }
            }
            Ok(hits)
        };
        let hits = self.lanes.searches.have(look).await?;
        let next_page_token = query.token(page.next)?;
        Ok(api::SearchMinutesResponse { hits, next_page_token })
    }

    async fn list_decisions(
        &self,
        caller: Caller,
        request: api::ListDecisionsRequest,
    ) -> Result<api::ListDecisionsResponse> {
        let ledger = self.ledger.get()?;
        let size = page_size(request.page_size)?;
        let query = caller.query(&["ListDecisions", &request.parent])?;
        let after = query.after(&request.page_token)?;
        if request.parent.contains("/minutes/") {
            let name = Minutes::parse(&request.parent, "parent")?;
            wait_for(ledger, None, request.read_after.as_ref()).await?;
            let (document, sequence) = ledger.read(|view| {
                sight::check(view, &caller.principal, &name, "parent")?;
                view.document(&name, "parent")
            })?;
            let decisions = decisions(&document);
            return Ok(api::ListDecisionsResponse { decisions, next_page_token: String::new(), sequence });
        }
        let scope = Scope::parse(&request.parent, "parent")?;
        wait_for(ledger, None, request.read_after.as_ref()).await?;
        let ((decisions, next), sequence) = ledger.read(|view| {
            existing(view, &scope)?;
            let sight = Sight::of(view, &caller.principal)?;
            let seen = |summary: &api::MinutesSummary| sight.sees(view, &summary.name);
            let page = Page::read(view, &list_of(&scope), &after, size, seen)?;
            let mut found = Vec::new();
            for summary in &page.found {
                found.extend(decisions(&view.document(&Minutes::parse(&summary.name, "name")?, "name")?));
            }
            Ok((found, page.next))
        })?;
        let next_page_token = query.token(next)?;
        Ok(api::ListDecisionsResponse { decisions, next_page_token, sequence })
    }

    async fn create_organ(
        &self,
        caller: Caller,
        mut request: api::CreateOrganRequest,
    ) -> Result<api::CreateOrganResponse> {
        let organ = called(request.organ.clone())?;
        let id = match request.organ_id.as_str() {
            "" => None,
            id => Some(Organ::from_id(id, "organ_id")?),
        };
        let asked = Asked::of(&mut request)?;
        let command = Command::CreateOrgan { id, organ };
        let committed = self.ledger.submit(&caller, asked, command).await?;
        let response =
            api::CreateOrganResponse::decode(committed.answer.as_slice()).map_err(Fault::internal)?;
        Ok(api::CreateOrganResponse { position: Some(cursor_to(&committed.cursor)), ..response })
    }

    async fn update_organ(
        &self,
        caller: Caller,
        mut request: api::UpdateOrganRequest,
    ) -> Result<api::UpdateOrganResponse> {
        let name = Organ::parse(&request.name, "name")?;
        let organ = called(request.organ.clone())?;
        let asked = Asked::of(&mut request)?;
        let command = Command::UpdateOrgan { name, etag: request.etag, organ };
        let committed = self.ledger.submit(&caller, asked, command).await?;
        let response =
            api::UpdateOrganResponse::decode(committed.answer.as_slice()).map_err(Fault::internal)?;
        Ok(api::UpdateOrganResponse { position: Some(cursor_to(&committed.cursor)), ..response })
    }

    async fn get_organ(&self, _: Caller, request: api::GetOrganRequest) -> Result<api::GetOrganResponse> {
        let name = Organ::parse(&request.name, "name")?;
        let ledger = self.ledger.get()?;
        wait_for(ledger, None, request.read_after.as_ref()).await?;
        let (organ, sequence) = ledger.read(|view| view.organ(&name, "name"))?;
        Ok(api::GetOrganResponse { organ: Some(organ), sequence })
    }

    async fn list_organs(
        &self,
        caller: Caller,
        request: api::ListOrgansRequest,
    ) -> Result<api::ListOrgansResponse> {
        let size = page_size(request.page_size)?;
        let query = caller.query(&["ListOrgans", &request.called])?;
        let after = query.after(&request.page_token)?;
        let (page, _) = self.ledger.get()?.read(|view| {
            if request.called.is_empty() {
                return Page::read(view, keys::ORGANS, &after, size, |_: &api::Organ| Ok(true));
            }
            let Some(name) = view.get(&keys::called(&request.called))? else { return Ok(Page::default()) };
            let name = String::from_utf8(name).map_err(Fault::internal)?;
            let organ = view.organ(&Organ::parse(&name, "name")?, "name")?;
            Ok(Page { found: vec![organ], next: None })
        })?;
        let next_page_token = query.token(page.next)?;
        Ok(api::ListOrgansResponse { organs: page.found, next_page_token })
    }

    async fn upload(
        &self,
        mut chunks: Streaming<api::UploadSourceRequest>,
    ) -> Result<api::UploadSourceResponse> {
        let full = |e: std::io::Error| match e.kind() {
            std::io::ErrorKind::StorageFull => Fault::new(Reason::DiskFull)
                .with("free", self.uploads.free())
                .with("needed", CHUNK)
                .because(e),
            _ => Fault::internal(e),
        };
        // Until the ledger is there, what other processes left behind is not swept.
        self.ledger.get()?;
        let mut receiving = self.uploads.receive().map_err(full)?;
        while let Some(message) = chunks.next().await {
            let chunk = message.map_err(Fault::internal)?.chunk;
            if chunk.len() > CHUNK {
                return Err(jiyao_extract::too_large(CHUNK, "chunk"));
            }
            if receiving.size() + chunk.len() as u64 > self.upload_limit {
                return Err(Fault::new(Reason::SourceTooLarge).at("chunk").with("limit", self.upload_limit));
            }
            let written = tokio::task::spawn_blocking(move || receiving.write(&chunk).map(|()| receiving));
            receiving = written.await.map_err(Fault::internal)?.map_err(full)?;
        }
        let size = receiving.size();
        if size == 0 {
            return Err(Fault::new(Reason::SourceEmpty).at("chunk"));
        }
        let digest = tokio::task::spawn_blocking(|| receiving.finish()).await.map_err(Fault::internal)?;
        let source = Source { digest: digest.map_err(full)? };
        Ok(api::UploadSourceResponse { source: source.to_string(), size })
    }
}

/// The names that an organ is to have, and its time zone.
fn called(organ: Option<api::Organ>) -> Result<api::Organ> {
    let api::Organ { display_name, aliases, time_zone, .. } =
        organ.ok_or_else(|| Fault::required("organ"))?;
    check_count(&aliases, "organ.aliases")?;
    let alias = |(at, alias)| (format!("organ.aliases[{at}]"), alias);
    let names = std::iter::once(("organ.display_name".to_owned(), &display_name));
    for (field, name) in names.chain(aliases.iter().enumerate().map(alias)) {
        let is_plain = name.trim() == name && !name.is_empty() && !name.contains(char::is_control);
        if !is_plain || name.len() > LONGEST_NAME {
            return Err(Fault::invalid(&field, name.escape_debug()));
        }
    }
    let time_zone = if time_zone.is_empty() { "Asia/Shanghai".to_owned() } else { time_zone };
    if !jiyao_calendar::is_time_zone(&time_zone) {
        return Err(Fault::malformed("organ.time_zone", time_zone, "Asia/Shanghai"));
    }
    Ok(api::Organ { display_name, aliases, time_zone, ..api::Organ::default() })
}

/// Original and extracted text of a revision of minutes, 0 the newest, from the journal. Blocks on the disk.
fn imported_at(ledger: &Ledger<RecordsDomain>, name: &Minutes, revision: u64) -> Result<(Vec<u8>, String)> {
    let (document, _) = ledger.read(|view| view.revision(name, revision))?;
    if document.minutes.as_ref().is_some_and(|minutes| minutes.erase_time.is_some()) {
        return Err(no_content(name));
    }
    let record = ledger.record(document.original_sequence)?;
    let events = record.map(|record| record.events).unwrap_or_default();
    // While it is erased the journal has less than the state still shows.
    let is_it = |minutes: &Option<api::Minutes>| match minutes {
        Some(minutes) if minutes.name != name.to_string() => Ok(false),
        Some(minutes) if minutes.erase_time.is_some() => Err(no_content(name)),
        minutes => Ok(minutes.is_some()),
    };
    for event in &events {
        // By type: both are told apart by nothing else.
        if event.r#type == MINUTES_IMPORTED {
            let body: stored::MinutesImported = jiyao_ledger::decode_event(event)?;
            if is_it(&body.minutes)? {
                return Ok((body.original, body.text));
            }
        } else if event.r#type == MINUTES_AMENDED {
            let body: stored::MinutesAmended = jiyao_ledger::decode_event(event)?;
            if is_it(&body.minutes)? {
                return Ok((body.original, body.text));
            }
        }
    }
    Err(no_minutes(name, "name"))
}

/// The text of a revision of minutes, 0 the newest, as the reader read it. Blocks on the disk.
fn text_at(ledger: &Ledger<RecordsDomain>, name: &Minutes, revision: u64) -> Result<String> {
    let (original, text) = imported_at(ledger, name, revision)?;
    Ok(if text.is_empty() { String::from_utf8_lossy(&original).into_owned() } else { text })
}

/// A number in the standard form, whatever its brackets; one that is none as it is.
fn standard_number(printed: &str) -> String {
    DocumentNumber::parse(printed).map_or_else(|| printed.trim().to_owned(), |number| number.to_string())
}

/// The organ of a scope must exist.
fn existing(view: &Reading<'_>, scope: &Scope) -> Result<()> {
    let Scope::One(organ) = scope else { return Ok(()) };
    view.organ(organ, "parent").map(|_| ())
}

fn decisions(document: &stored::MinutesDocument) -> Vec<api::DecisionEntry> {
    let Some(minutes) = &document.minutes else { return Vec::new() };
    let items = minutes.facts.iter().flat_map(|facts| &facts.items);
    let mut entries = Vec::new();
    for (item_index, item) in (0..).zip(items) {
        for (decision_index, decision) in (0..).zip(&item.decisions) {
            entries.push(api::DecisionEntry {
                minutes: minutes.name.clone(),
                item_index,
                decision_index,
                item_number: item.number.as_ref().map(|number| number.value.clone()).unwrap_or_default(),
                decision: Some(decision.clone()),
            });
        }
    }
    entries
}

service! {
    RecordsService for Api;
    calls {
        read_minutes: ReadMinutesRequest => ReadMinutesResponse;
        search_minutes: SearchMinutesRequest => SearchMinutesResponse;
        list_decisions: ListDecisionsRequest => ListDecisionsResponse;
        resolve_doubt: ResolveDoubtRequest => ResolveDoubtResponse;
        correct_fact: CorrectFactRequest => CorrectFactResponse;
        create_organ: CreateOrganRequest => CreateOrganResponse;
        update_organ: UpdateOrganRequest => UpdateOrganResponse;
        get_organ: GetOrganRequest => GetOrganResponse;
        list_organs: ListOrgansRequest => ListOrgansResponse;
    }
    others {
        async fn import_minutes(
            &self,
            request: Request<api::ImportMinutesRequest>,
        ) -> Result<Response<stored::EncodedImportMinutesResponse>, Status> {
            answer(request, |caller, request| self.import(caller, request)).await
        }

        async fn get_minutes(
            &self,
            request: Request<api::GetMinutesRequest>,
        ) -> Result<Response<stored::EncodedGetMinutesResponse>, Status> {
            answer(request, async |caller: Caller, request: api::GetMinutesRequest| {
                let name = Minutes::parse(&request.name, "name")?;
                let mask = Mask::of(request.read_mask.as_ref(), ".jiyao.records.v1.Minutes")?;
                wait_for(self.ledger.get()?, None, request.read_after.as_ref()).await?;
                self.encoded(&caller.principal, &name, request.revision, &mask)
            })
            .await
        }

        type GetMinutesTextStream = Answers<api::GetMinutesTextResponse>;

        async fn get_minutes_text(
            &self,
            request: Request<api::GetMinutesTextRequest>,
        ) -> Result<Response<Self::GetMinutesTextStream>, Status> {
            // A text is sent to its end, as a part would look like the whole.
            let to_the_end = CancellationToken::new();
            jiyao_serve::stream(request, &to_the_end, async |caller, request| {
                let name = Minutes::parse(&request.name, "name")?;
                let (document, _) = self.ledger.get()?.read(|view| {
                    sight::check(view, &caller.principal, &name, "name")?;
                    view.document(&name, "name")
                })?;
                let revision = document.minutes.unwrap_or_default().revision;
                let of = Text { name, revision, extracted: request.extracted };
                let (piece, size) = self.piece(of.clone(), 0).await?;
                let begun = stream::iter([Ok(api::GetMinutesTextResponse { chunk: piece })]);
                let this = self.clone();
                let rest = stream::iter((PIECE..size).step_by(PIECE)).then(move |at| {
                    let (this, of) = (this.clone(), of.clone());
                    async move {
                        let (chunk, _) = this.piece(of, at).await?;
                        Ok(api::GetMinutesTextResponse { chunk })
                    }
                });
                Ok(begun.chain(rest))
            })
            .await
        }

        async fn list_minutes(
            &self,
            request: Request<api::ListMinutesRequest>,
        ) -> Result<Response<stored::EncodedListMinutesResponse>, Status> {
            answer(request, |caller, request| self.list_minutes(caller, request)).await
        }

        type WatchMinutesStream = Answers<api::WatchMinutesResponse>;

        async fn watch_minutes(
            &self,
            request: Request<api::WatchMinutesRequest>,
        ) -> Result<Response<Self::WatchMinutesStream>, Status> {
            jiyao_serve::stream(request, &self.stop, async |caller, request| {
                let scope = Scope::parse(&request.parent, "parent")?;
                let ledger = self.ledger.get()?.clone();
                let stretches = ledger.follow(cursor_from(request.after.as_ref(), "after")?)?;
                Ok(stretches.map(move |stretch| {
                    let stretch = stretch?;
                    let mut changes = Vec::new();
                    for event in &stretch.events()? {
                        let (minutes, revision) = match &event.kind {
                            Some(Kind::MinutesRecorded(recorded)) => (&recorded.minutes, recorded.revision),
                            // Whoever could not see them before sees them now.
                            Some(Kind::MinutesMoved(moved)) if LIFTING.contains(&moved.act.as_str()) => {
                                (&moved.minutes, 0)
                            }
                            _ => continue,
                        };
                        let name = Minutes::parse(minutes, "name")?;
                        let sees = |view: &Reading<'_>| Sight::of(view, &caller.principal)?.sees(view, minutes);
                        if scope.has(&name.organ) && ledger.read(sees)?.0 {
                            changes.push(change(&ledger, &name, revision)?);
                        }
                    }
                    Ok(api::WatchMinutesResponse { changes, through: Some(cursor_to(&stretch.through)) })
                }))
            })
            .await
        }

        async fn upload_source(
            &self,
            request: Request<Streaming<api::UploadSourceRequest>>,
        ) -> Result<Response<api::UploadSourceResponse>, Status> {
            receive(request, |_, chunks| self.upload(chunks)).await
        }
    }
}

/// Acts of a life that may end a level.
const LIFTING: [&str; 2] = [Act::SET_SECRECY, Act::DECLASSIFY];

/// One change as it stands now, of a revision, 0 the newest: the summary is that of the list.
fn change(ledger: &Ledger<RecordsDomain>, name: &Minutes, revision: u64) -> Result<api::MinutesChange> {
    let ((summary, newest), _) = ledger.read(|view| {
        let minutes = view.document(name, "name")?.minutes.unwrap_or_default();
        let newest = minutes.revision;
        let meeting = minutes.facts.unwrap_or_default().meeting.unwrap_or_default();
        let date = meeting.date.map(|date| date.value).unwrap_or_default();
        let [place, _] = places_of(name, &date);
        let summary = view.get(&place)?.unwrap_or_default();
        let summary = api::MinutesSummary::decode(summary.as_slice()).map_err(Fault::internal)?;
        Ok((summary, newest))
    })?;
    let revision = if revision == 0 { newest } else { revision };
    Ok(api::MinutesChange { minutes: Some(summary), revision })
}
