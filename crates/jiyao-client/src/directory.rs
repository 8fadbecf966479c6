use jiyao_proto::attendance::v1 as wire;
use jiyao_rolls::{RollRules, Unit};

use crate::types::Position;
use crate::{Client, Error, Page};

/// What a table of the directory did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirectoryImport {
    /// Version of the directory afterwards.
    pub version: u64,
    /// New entries.
    pub added: u32,
    /// Entries that change one that is there.
    pub changed: u32,
    /// Entries that are there, the same.
    pub unchanged: u32,
    /// Refused rows: line, column, code, value. Only in a preview.
    pub errors: Vec<(u64, String, String, String)>,
    /// Where it stands in attendance's journal.
    pub position: Option<Position>,
}

/// A member of a kind of meeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Name.
    pub person: String,
    /// Post that they are a member by.
    pub post: String,
}

/// Somebody who holds, held or will hold a post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenure {
    /// Name.
    pub person: String,
    /// The post.
    pub post: String,
    /// Id of its organisation; may be empty.
    pub unit: String,
    /// Since this ISO date; empty: always.
    pub from: String,
    /// Until this one; empty: open.
    pub until: String,
}

impl Client {
    /// Takes a table (CSV) into an organ's directory, whole or not at all; `preview`: only says what it would do.
    ///
    /// # Errors
    /// `TABLE_REFUSED`, `SOURCE_UNDECODABLE`, `SOURCE_TOO_LARGE`, `FIELD_INVALID`, `DISK_FULL`.
    pub async fn import_directory(
        &self,
        organ: &str,
        table: Vec<u8>,
        preview: bool,
    ) -> Result<DirectoryImport, Error> {
        let request = wire::ImportDirectoryRequest {
            parent: organ.to_owned(),
            table,
            preview,
            request_id: String::new(),
        };
        let answer = self.attendance.call(request).await?;
        let error = |error: wire::RowError| (error.line, error.column, error.code, error.value);
        Ok(DirectoryImport {
            version: answer.version,
            added: answer.added,
            changed: answer.changed,
            unchanged: answer.unchanged,
            errors: answer.errors.into_iter().map(error).collect(),
            position: Position::of_wire(answer.position),
        })
    }

    /// A page of organisations that exist on an ISO date (empty: all that ever did), of a recipient class or of a name
    /// (empty: any).
    ///
    /// # Errors
    /// `PAGE_TOKEN_INVALID`, `FIELD_INVALID`.
    pub async fn list_units(
        &self,
        organ: &str,
        as_of: &str,
        class: &str,
        called: &str,
        page: Option<&str>,
    ) -> Result<Page<Unit>, Error> {
        let read = |page_token| {
            let request = wire::ListUnitsRequest {
                parent: organ.to_owned(),
                as_of: as_of.to_owned(),
                class: class.to_owned(),
                called: called.to_owned(),
                page_size: 200,
                page_token,
            };
            async move {
                let answer = self.attendance.call(request).await?;
                Ok(Page::of(answer.units, answer.next_page_token, |unit| jiyao_wire::unit_from(unit).ok()))
            }
        };
        Page::filled(page, read).await
    }

    /// What stands for an organisation on an ISO date: itself, or what took its place.
    ///
    /// # Errors
    /// `UNIT_NOT_FOUND`, `FIELD_REQUIRED`, `FIELD_INVALID`.
    pub async fn standing_units(&self, organ: &str, unit: &str, as_of: &str) -> Result<Vec<Unit>, Error> {
        let request = wire::GetStandingUnitsRequest {
            parent: organ.to_owned(),
            unit: unit.to_owned(),
            as_of: as_of.to_owned(),
        };
        let answer = self.attendance.call(request).await?;
        Ok(answer.units.into_iter().filter_map(|unit| jiyao_wire::unit_from(unit).ok()).collect())
    }

    /// A page of those who hold posts on an ISO date (empty: all that ever did), of a name or of a post (empty: any).
    ///
    /// # Errors
    /// `PAGE_TOKEN_INVALID`, `FIELD_INVALID`.
    pub async fn list_tenures(
        &self,
        organ: &str,
        as_of: &str,
        person: &str,
        post: &str,
        page: Option<&str>,
    ) -> Result<Page<Tenure>, Error> {
        let tenure = |of: wire::Tenure| {
            Some(Tenure { person: of.person, post: of.post, unit: of.unit, from: of.from, until: of.until })
        };
        let read = |page_token| {
            let request = wire::ListTenuresRequest {
                parent: organ.to_owned(),
                as_of: as_of.to_owned(),
                person: person.to_owned(),
                post: post.to_owned(),
                page_size: 200,
                page_token,
            };
            async move {
                let answer = self.attendance.call(request).await?;
                Ok(Page::of(answer.tenures, answer.next_page_token, tenure))
            }
        };
        Page::filled(page, read).await
    }

    /// An organ's rules of quorum, leave and assistants, or the usual ones.
    ///
    /// # Errors
    /// None of its own.
    pub async fn roll_rules(&self, organ: &str) -> Result<RollRules, Error> {
        let request = wire::GetRollRulesRequest { organ: organ.to_owned() };
        let answer = self.attendance.call(request).await?;
        let rules = answer.rules.and_then(|rules| jiyao_wire::roll_rules_from(rules).ok());
        rules.ok_or_else(|| self.attendance.malformed("get rules"))
    }

    /// Sets all of them. Meetings that were held keep what they were counted by.
    ///
    /// # Errors
    /// `FIELD_REQUIRED`, `FIELD_INVALID`, `DISK_FULL`.
    pub async fn set_roll_rules(&self, organ: &str, rules: &RollRules) -> Result<(), Error> {
        let request = wire::SetRollRulesRequest {
            organ: organ.to_owned(),
            rules: Some(jiyao_wire::roll_rules_to(rules)),
            request_id: String::new(),
        };
        self.attendance.call(request).await.map(|_| ())
    }

    /// Members of a kind of meeting on an ISO date, in the order of rank.
    ///
    /// # Errors
    /// `FIELD_REQUIRED`, `FIELD_INVALID`.
    pub async fn list_members(&self, organ: &str, kind: &str, as_of: &str) -> Result<Vec<Member>, Error> {
        let request = wire::ListMembersRequest {
            parent: organ.to_owned(),
            meeting_kind: kind.to_owned(),
            as_of: as_of.to_owned(),
        };
        let answer = self.attendance.call(request).await?;
        let member = |member: wire::Member| Member { person: member.person, post: member.post };
        Ok(answer.members.into_iter().map(member).collect())
    }
}
