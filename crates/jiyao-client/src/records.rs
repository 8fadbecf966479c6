use jiyao_proto::calls::watch;
use jiyao_proto::client::records::v1::records_service_client::RecordsServiceClient;
use jiyao_proto::records::v1 as wire;

use crate::connection::RESPONSE_LIMIT;
use crate::types::{self, Position};
use crate::watch::Watch;
use crate::{
    Client, DecisionEntry, Error, Minutes, MinutesChange, MinutesSummary, Organ, Page, ReadMinutes, Standing,
};

/// Larger texts are uploaded first.
const INLINE: usize = 512 << 10;
/// Size of the pieces of an upload.
const CHUNK: usize = 64 << 10;

/// Minutes to record.
#[derive(Clone, Debug)]
pub struct Import {
    /// `organs/{organ}`.
    pub organ: String,
    /// The file.
    pub bytes: Vec<u8>,
    /// Which door.
    pub standing: Standing,
    /// Record also a text without any fact of the genre.
    pub keep_anyway: bool,
    /// Minutes with the same identity of which this is another rendition.
    pub rendition_of: Option<String>,
    /// Minutes with the same identity that this corrects.
    pub corrects: Option<String>,
    /// A UUID that recognises a repeat; None: one is made, for the repeats of this call.
    pub request_id: Option<String>,
}

impl Import {
    /// The file as minutes of an organ, issued elsewhere.
    #[must_use]
    pub fn new(organ: &str, bytes: Vec<u8>) -> Self {
        Self {
            organ: organ.to_owned(),
            bytes,
            standing: Standing::IssuedElsewhere,
            keep_anyway: false,
            rendition_of: None,
            corrects: None,
            request_id: None,
        }
    }
}

/// What an import came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// The record.
    pub minutes: Minutes,
    /// The same bytes were there already.
    pub already_recorded: bool,
    /// Where it stands: what a read of any service may wait for.
    pub position: Position,
}

/// What a person decides about a reading, and why.
#[derive(Clone, Debug, Default)]
pub struct Settle {
    /// The value; empty: it is not in the text.
    pub value: String,
    /// Why.
    pub reason: String,
    /// The revision that was looked at; None: the newest, whichever it is.
    pub etag: Option<u64>,
    /// A UUID that recognises a repeat; None: one is made, for the repeats of this call.
    pub request_id: Option<String>,
}

/// What settling came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled {
    /// The revision that it made.
    pub minutes: Minutes,
    /// Where it stands: what a read of any service may wait for.
    pub position: Position,
}

fn settled(
    minutes: Option<wire::Minutes>,
    position: Option<jiyao_proto::journal::v1::Cursor>,
) -> Option<Settled> {
    Some(Settled { minutes: types::minutes(minutes?), position: Position::of_wire(position)? })
}

/// Which minutes to list.
#[derive(Clone, Debug, Default)]
pub struct ListMinutes {
    /// `organs/{organ}`, or `organs/-` for all.
    pub parent: String,
    /// 0 is 50; at most 200.
    pub page_size: u16,
    /// From the page before.
    pub page: Option<String>,
    /// Only meetings of this year.
    pub year: Option<u16>,
    /// Only this number, as printed.
    pub document_number: Option<String>,
    /// Only meetings on or after this ISO date.
    pub date_from: Option<String>,
    /// Only meetings on or before this ISO date.
    pub date_to: Option<String>,
    /// Only from a state that has come so far.
    pub read_after: Option<Position>,
}

impl ListMinutes {
    /// All of an organ, or of all organs (`organs/-`).
    #[must_use]
    pub fn of(parent: &str) -> Self {
        Self { parent: parent.to_owned(), ..Self::default() }
    }
}

impl Client {
    /// Reads a text without recording it.
    ///
    /// # Errors
    /// `SOURCE_EMPTY`, `SOURCE_TOO_LARGE`, `SOURCE_UNDECODABLE`, `NO_FACT_FOUND`.
    pub async fn read_minutes(&self, bytes: Vec<u8>) -> Result<ReadMinutes, Error> {
        let request = wire::ReadMinutesRequest { source: Some(self.source(bytes).await?) };
        let answer = self.records.call(request).await?;
        Ok(types::read_minutes(&answer))
    }

    /// Records minutes. Returns when they are on disk.
    ///
    /// # Errors
    /// Those of [`Client::read_minutes`], `ORGAN_NOT_FOUND`, `IDENTITY_TAKEN`, `MINUTES_NOT_FOUND`,
    /// `REQUEST_ID_REUSED`, `DISK_FULL`, `BUSY`.
    pub async fn import_minutes(&self, import: Import) -> Result<Imported, Error> {
        let what = "import minutes";
        let standing = match import.standing {
            Standing::IssuedElsewhere => wire::Standing::IssuedElsewhere,
            Standing::Draft => wire::Standing::Draft,
        };
        let request = wire::ImportMinutesRequest {
            parent: import.organ,
            source: Some(self.source(import.bytes).await?),
            standing: standing.into(),
            keep_anyway: import.keep_anyway,
            rendition_of: import.rendition_of.unwrap_or_default(),
            corrects: import.corrects.unwrap_or_default(),
            request_id: import.request_id.unwrap_or_default(),
        };
        let answer = self.records.call(request).await?;
        let minutes = answer.minutes.map(types::minutes);
        let position = Position::of_wire(answer.position);
        match (minutes, position) {
            (Some(minutes), Some(position)) => {
                Ok(Imported { minutes, already_recorded: answer.already_recorded, position })
            }
            _ => Err(self.records.malformed(what)),
        }
    }

    /// Small texts go along; larger ones are uploaded and named.
    pub(crate) async fn source(&self, bytes: Vec<u8>) -> Result<wire::Source, Error> {
        use wire::source::From;
        if bytes.len() <= INLINE {
            return Ok(wire::Source { from: Some(From::Content(bytes)) });
        }
        Ok(wire::Source { from: Some(From::Uploaded(self.upload_source(&bytes).await?)) })
    }

    /// Hands in a file of any size up to the service's limit, and answers the name by which it is read or imported
    /// (`Source.uploaded`). Kept for a day unless imported.
    ///
    /// # Errors
    /// `SOURCE_EMPTY`, `SOURCE_TOO_LARGE`, `DISK_FULL`.
    pub async fn upload_source(&self, bytes: &[u8]) -> Result<String, Error> {
        let chunks: Vec<_> =
            bytes.chunks(CHUNK).map(|chunk| wire::UploadSourceRequest { chunk: chunk.to_vec() }).collect();
        let once = async |channel, request: tonic::Request<Vec<wire::UploadSourceRequest>>| {
            let request = request.map(futures_util::stream::iter);
            RecordsServiceClient::new(channel).upload_source(request).await
        };
        let answer = self.records.repeated("UploadSource", chunks, once).await?;
        Ok(answer.into_inner().source)
    }

    /// One minutes with its facts; `read_after`: only from a state that has come so far.
    ///
    /// # Errors
    /// `MINUTES_NOT_FOUND`, `NOT_CAUGHT_UP`.
    pub async fn minutes(&self, name: &str, read_after: Option<&Position>) -> Result<Minutes, Error> {
        let read_after = read_after.map(Position::to_wire);
        let request = wire::GetMinutesRequest { name: name.to_owned(), read_after, ..Default::default() };
        let answer = self.records.call(request).await?;
        answer.minutes.map(types::minutes).ok_or_else(|| self.records.malformed("get minutes"))
    }

    /// The original, byte for byte as imported.
    ///
    /// # Errors
    /// `MINUTES_NOT_FOUND`, `RECORD_DAMAGED`.
    pub async fn minutes_text(&self, name: &str) -> Result<Vec<u8>, Error> {
        self.chunks(name, false).await
    }

    /// The text that the reader read, which the spans are of: that of a Word or PDF file, a web page or a GB18030 text
    /// is another than the original.
    ///
    /// # Errors
    /// `MINUTES_NOT_FOUND`, `RECORD_DAMAGED`.
    pub async fn extracted_text(&self, name: &str) -> Result<String, Error> {
        let bytes = self.chunks(name, true).await?;
        String::from_utf8(bytes).map_err(|_| self.records.malformed("get the text of minutes"))
    }

    async fn chunks(&self, name: &str, extracted: bool) -> Result<Vec<u8>, Error> {
        let request = wire::GetMinutesTextRequest { name: name.to_owned(), extracted };
        let once = async |channel, request: tonic::Request<wire::GetMinutesTextRequest>| {
            let mut chunks = watch(channel, request, RESPONSE_LIMIT).await?.into_inner();
            let mut bytes = Vec::new();
            while let Some(answer) = chunks.message().await? {
                bytes.extend(answer.chunk);
            }
            Ok(bytes)
        };
        self.records.repeated("GetMinutesText", request, once).await
    }

    /// Settles an open doubt; with a path (not empty) also sets the fact there. Answers the revision that it made.
    ///
    /// # Errors
    /// `MINUTES_NOT_FOUND`, `MINUTES_ERASED`, `DOUBT_NOT_FOUND`, `ETAG_STALE`, `FIELD_REQUIRED`, `FIELD_INVALID`,
    /// `DISK_FULL`.
    pub async fn resolve_doubt(
        &self,
        name: &str,
        doubt: u32,
        path: &str,
        settle: Settle,
    ) -> Result<Settled, Error> {
        let request = wire::ResolveDoubtRequest {
            name: name.to_owned(),
            doubt,
            value: settle.value,
            reason: settle.reason,
            path: path.to_owned(),
            etag: settle.etag.unwrap_or(0),
            request_id: settle.request_id.unwrap_or_default(),
        };
        let answer = self.records.call(request).await?;
        let settled = settled(answer.minutes, answer.position);
        settled.ok_or_else(|| self.records.malformed("resolve a doubt"))
    }

    /// Sets a fact to what a person read. Answers the revision that it made.
    ///
    /// # Errors
    /// `MINUTES_NOT_FOUND`, `MINUTES_ERASED`, `ETAG_STALE`, `FIELD_REQUIRED`, `FIELD_INVALID`, `DISK_FULL`.
    pub async fn correct_fact(&self, name: &str, path: &str, settle: Settle) -> Result<Settled, Error> {
        let request = wire::CorrectFactRequest {
            name: name.to_owned(),
            path: path.to_owned(),
            value: settle.value,
            reason: settle.reason,
            etag: settle.etag.unwrap_or(0),
            request_id: settle.request_id.unwrap_or_default(),
        };
        let answer = self.records.call(request).await?;
        let settled = settled(answer.minutes, answer.position);
        settled.ok_or_else(|| self.records.malformed("correct a fact"))
    }

    /// A page of minutes, newest meeting first.
    ///
    /// # Errors
    /// `ORGAN_NOT_FOUND`, `PAGE_TOKEN_INVALID`, `FIELD_INVALID`.
    pub async fn list_minutes(&self, list: ListMinutes) -> Result<Page<MinutesSummary>, Error> {
        let asked = wire::ListMinutesRequest {
            parent: list.parent,
            page_size: list.page_size.into(),
            page_token: String::new(),
            year: list.year.unwrap_or(0).into(),
            document_number: list.document_number.unwrap_or_default(),
            date_from: list.date_from.unwrap_or_default(),
            date_to: list.date_to.unwrap_or_default(),
            read_after: list.read_after.as_ref().map(Position::to_wire),
        };
        let read = |page_token| {
            let request = wire::ListMinutesRequest { page_token, ..asked.clone() };
            async move {
                let answer = self.records.call(request).await?;
                Ok(Page::of(answer.minutes, answer.next_page_token, |summary| Some(types::summary(summary))))
            }
        };
        Page::filled(list.page.as_deref(), read).await
    }

    /// All minutes of a list, from its first page on.
    ///
    /// # Errors
    /// `ORGAN_NOT_FOUND`, `FIELD_INVALID`.
    pub async fn all_minutes(&self, list: ListMinutes) -> Result<Vec<MinutesSummary>, Error> {
        let read = async |page: Option<&str>| {
            let page = page.map(str::to_owned);
            self.list_minutes(ListMinutes { page_size: 200, page, ..list.clone() }).await
        };
        Page::all(read).await
    }

    /// Minutes whose newest text has all of these characters in a row, each with the words around the first place;
    /// blanks and line breaks count for nothing. A page has at least one, unless it is the last.
    ///
    /// # Errors
    /// `FIELD_REQUIRED` for less than two characters, `ORGAN_NOT_FOUND`, `PAGE_TOKEN_INVALID`.
    pub async fn search_minutes(
        &self,
        parent: &str,
        query: &str,
        page: Option<&str>,
    ) -> Result<Page<(MinutesSummary, String)>, Error> {
        let read = |page_token| {
            let (parent, query) = (parent.to_owned(), query.to_owned());
            let request = wire::SearchMinutesRequest { parent, query, page_token };
            async move {
                let answer = self.records.call(request).await?;
                let hit = |hit: wire::MinutesHit| Some((types::summary(hit.minutes?), hit.excerpt));
                Ok(Page::of(answer.hits, answer.next_page_token, hit))
            }
        };
        Page::filled(page, read).await
    }

    /// A page of decisions of a minutes, an organ, or all organs (`organs/-`).
    ///
    /// # Errors
    /// As [`Client::list_minutes`], and `MINUTES_NOT_FOUND`.
    pub async fn list_decisions(
        &self,
        parent: &str,
        page: Option<&str>,
    ) -> Result<Page<DecisionEntry>, Error> {
        let page_token = page.unwrap_or_default().to_owned();
        let request =
            wire::ListDecisionsRequest { parent: parent.to_owned(), page_token, ..Default::default() };
        let answer = self.records.call(request).await?;
        Ok(Page::of(answer.decisions, answer.next_page_token, types::decision_entry))
    }

    /// Watches the minutes of an organ, or of all organs (`organs/-`), from a position on, or from the beginning.
    #[must_use]
    pub fn watch_minutes(&self, parent: &str, after: Option<Position>) -> Watch<MinutesChange> {
        let after = after.map(|after| after.to_wire());
        let watching = self.watch(wire::WatchMinutesRequest { parent: parent.to_owned(), after });
        watching.meaning(|answer| answer.changes.into_iter().filter_map(change).collect())
    }

    /// Makes an organ; without an id the service chooses one.
    ///
    /// # Errors
    /// `ORGAN_EXISTS`, `FIELD_REQUIRED`, `FIELD_INVALID`, `DISK_FULL`.
    pub async fn create_organ(
        &self,
        id: Option<&str>,
        display_name: &str,
        aliases: &[&str],
    ) -> Result<Organ, Error> {
        let organ = wire::Organ {
            display_name: display_name.to_owned(),
            aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
            ..Default::default()
        };
        let request = wire::CreateOrganRequest {
            organ_id: id.unwrap_or_default().to_owned(),
            organ: Some(organ),
            request_id: String::new(),
        };
        let answer = self.records.call(request).await?;
        answer.organ.map(types::organ).ok_or_else(|| self.records.malformed("create an organ"))
    }

    /// An organ by name, `organs/{organ}`.
    ///
    /// # Errors
    /// `ORGAN_NOT_FOUND`, `FIELD_INVALID`.
    pub async fn organ(&self, name: &str) -> Result<Organ, Error> {
        let request = wire::GetOrganRequest { name: name.to_owned(), read_after: None };
        let answer = self.records.call(request).await?;
        answer.organ.map(types::organ).ok_or_else(|| self.records.malformed("get an organ"))
    }

    /// A page of organs by id; `called`: only the one with this name or alias.
    ///
    /// # Errors
    /// `PAGE_TOKEN_INVALID`.
    pub async fn list_organs(&self, called: Option<&str>, page: Option<&str>) -> Result<Page<Organ>, Error> {
        let request = wire::ListOrgansRequest {
            page_size: 0,
            page_token: page.unwrap_or_default().to_owned(),
            called: called.unwrap_or_default().to_owned(),
        };
        let answer = self.records.call(request).await?;
        Ok(Page::of(answer.organs, answer.next_page_token, |organ| Some(types::organ(organ))))
    }
}

fn change(change: wire::MinutesChange) -> Option<MinutesChange> {
    Some(MinutesChange { minutes: types::summary(change.minutes?), revision: change.revision })
}
