//! The directory over gRPC.

use std::ops::Bound;

use jiyao_calendar::Date;
use jiyao_fault::{Fault, Reason, Result};
use jiyao_ledger::{Ledger, Lookup as _, Reading, from_json};
use jiyao_names::Organ;
use jiyao_proto::attendance::v1::{self as api};
use jiyao_proto::server::attendance::v1::directory_service_server::DirectoryService;
use jiyao_rolls::{Directory, Entry, Preview, RowError, Table};
use jiyao_serve::{Asked, CLERKS, Caller, PageQuery, READERS, cursor_to, page_size, service};
use prost::Message as _;

use crate::api::Api;
use crate::documents::View as _;
use crate::domain::{AttendanceDomain, Command};
use crate::keys;

/// Largest table taken.
const LARGEST_TABLE: usize = 768 << 10;

#[derive(Clone)]
pub(crate) struct DirectoryApi(pub(crate) Api);

/// What a table would do to a version of a directory.
pub(crate) fn answer_of(version: u64, preview: &Preview) -> api::ImportDirectoryResponse {
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    api::ImportDirectoryResponse {
        version,
        added: count(preview.added),
        changed: count(preview.changed),
        unchanged: count(preview.unchanged),
        errors: preview.errors.iter().map(jiyao_wire::row_error_to).collect(),
        position: None,
    }
}

/// The refusal of a table with errors.
pub(crate) fn check_table(preview: &Preview) -> Result<()> {
    let Some(first) = preview.errors.first() else { return Ok(()) };
    let told = format!("line {}, {}: {} {}", first.line, first.column, first.code.as_str(), first.value);
    let fault =
        Fault::new(Reason::TableRefused).with("errors", preview.errors.len()).with("first", told.trim_end());
    let place = |error: &RowError| format!("table[{}].{}", error.line, error.column);
    Err(preview.errors.iter().fold(fault, |fault, error| fault.at(place(error))))
}

fn required_day(text: &str, field: &str) -> Result<Date> {
    jiyao_wire::required_date(text, field)
}

impl DirectoryApi {
    async fn import_directory(
        &self,
        caller: Caller,
        mut request: api::ImportDirectoryRequest,
    ) -> Result<api::ImportDirectoryResponse> {
        let organ = Organ::parse(&request.parent, "parent")?;
        if request.table.is_empty() {
            return Err(Fault::required("table"));
        }
        if request.table.len() > LARGEST_TABLE {
            return Err(jiyao_extract::too_large(LARGEST_TABLE, "table"));
        }
        let asked = Asked::of(&mut request)?;
        let (text, _) = jiyao_extract::decode(&request.table, "table")?;
        // Read here; the writer only holds it against what is there.
        let table = Table::parse(text.trim_start_matches('\u{feff}'))?;
        if request.preview {
            let read = move |view: &Reading<'_>| {
                let version = view.directory_version(&organ)?;
                Ok(answer_of(version, &table.against(&view.directory(&organ)?)))
            };
            return Ok(self.0.ledger.read_much(read).await?.0);
        }
        // Decided where it is written: a repeat gets its first answer, whatever the directory has become.
        let command = Command::ChangeDirectory { organ, table };
        let committed = self.0.ledger.submit(&caller, asked, command).await?;
        let made =
            api::ImportDirectoryResponse::decode(committed.answer.as_slice()).map_err(Fault::internal)?;
        Ok(api::ImportDirectoryResponse { position: Some(cursor_to(&committed.cursor)), ..made })
    }

    /// Reads the directory of an organ.
    async fn of<T: Send + 'static>(
        &self,
        organ: Organ,
        read: impl Fn(&Directory) -> Result<T> + Send + 'static,
    ) -> Result<(T, u64)> {
        self.0.ledger.read_much(move |view| read(&view.directory(&organ)?)).await
    }

    async fn list_units(&self, _: Caller, request: api::ListUnitsRequest) -> Result<api::ListUnitsResponse> {
        let organ = Organ::parse(&request.parent, "parent")?;
        let day = jiyao_wire::date_from(&request.as_of, "as_of")?;
        let size = page_size(request.page_size)?;
        let query =
            PageQuery::of(&["ListUnits", &request.parent, &request.as_of, &request.class, &request.called]);
        let after = String::from_utf8(query.after(&request.page_token)?).unwrap_or_default();
        let read = move |directory: &Directory| {
            // Without a day all that ever were count, each by what it was.
            let wanted = |unit: &&jiyao_rolls::Unit| {
                let on = day.or(unit.span.until).or(unit.span.from).unwrap_or(Date::MAX);
                unit.span.holds(on)
                    && (request.class.is_empty() || unit.is_of(&request.class))
                    && (request.called.is_empty() || unit.is_called(&request.called))
            };
            let units = directory.units.values().filter(|unit| unit.id > after);
            let found = units.filter(wanted).take(size + 1).map(jiyao_wire::unit_to);
            Ok(found.collect::<Vec<_>>())
        };
        let (mut units, sequence) = self.of(organ, read).await?;
        let is_more = units.len() > size;
        units.truncate(size);
        let last = units.last().filter(|_| is_more);
        let next_page_token = last.map(|unit| query.token(unit.id.as_bytes())).unwrap_or_default();
        Ok(api::ListUnitsResponse { units, next_page_token, sequence })
    }

    async fn get_standing_units(
        &self,
        _: Caller,
        request: api::GetStandingUnitsRequest,
    ) -> Result<api::GetStandingUnitsResponse> {
        let organ = Organ::parse(&request.parent, "parent")?;
        let day = required_day(&request.as_of, "as_of")?;
        let read = move |directory: &Directory| {
            if !directory.units.contains_key(&request.unit) {
                return Err(Fault::new(Reason::UnitNotFound).at("unit").with("unit", &request.unit));
            }
            Ok(directory.standing_for(&request.unit, day).into_iter().map(jiyao_wire::unit_to).collect())
        };
        Ok(api::GetStandingUnitsResponse { units: self.of(organ, read).await?.0 })
    }

    async fn list_members(
        &self,
        _: Caller,
        request: api::ListMembersRequest,
    ) -> Result<api::ListMembersResponse> {
        let organ = Organ::parse(&request.parent, "parent")?;
        let day = required_day(&request.as_of, "as_of")?;
        if request.meeting_kind.is_empty() {
            return Err(Fault::required("meeting_kind"));
        }
        let read = move |directory: &Directory| {
            let members = directory.members_on(&request.meeting_kind, day);
            Ok(members.iter().map(jiyao_wire::member_to).collect())
        };
        let (members, sequence) = self.of(organ, read).await?;
        Ok(api::ListMembersResponse { members, sequence })
    }

    async fn list_tenures(
        &self,
        _: Caller,
        request: api::ListTenuresRequest,
    ) -> Result<api::ListTenuresResponse> {
        let organ = Organ::parse(&request.parent, "parent")?;
        let day = jiyao_wire::date_from(&request.as_of, "as_of")?;
        let size = page_size(request.page_size)?;
        let query =
            PageQuery::of(&["ListTenures", &request.parent, &request.as_of, &request.person, &request.post]);
        let after = String::from_utf8(query.after(&request.page_token)?).unwrap_or_default();
        let read = move |directory: &Directory| {
            let behind = (Bound::Excluded(after.as_str()), Bound::Unbounded);
            let tenures = directory.tenures.range::<str, _>(behind);
            let found = tenures.filter_map(|(key, tenure)| {
                let (person, post) = directory.held(tenure, day)?;
                let is_wanted = (request.person.is_empty() || person.is_called(&request.person))
                    && (request.post.is_empty() || post.is_called(&request.post));
                is_wanted.then(|| (key.clone(), jiyao_wire::tenure_to(tenure, person, post)))
            });
            Ok(found.take(size + 1).collect::<Vec<_>>())
        };
        let (mut found, sequence) = self.of(organ, read).await?;
        let is_more = found.len() > size;
        found.truncate(size);
        let last = found.last().filter(|_| is_more);
        let next_page_token = last.map(|(key, _)| query.token(key.as_bytes())).unwrap_or_default();
        let tenures = found.into_iter().map(|(_, tenure)| tenure).collect();
        Ok(api::ListTenuresResponse { tenures, next_page_token, sequence })
    }

    async fn get_directory_change(
        &self,
        _: Caller,
        request: api::GetDirectoryChangeRequest,
    ) -> Result<api::GetDirectoryChangeResponse> {
        let organ = Organ::parse(&request.parent, "parent")?;
        let ledger = self.0.ledger.get()?.clone();
        let read = move || change(&ledger, &organ, request.version);
        tokio::task::spawn_blocking(read).await.map_err(Fault::internal)?
    }

    async fn set_roll_rules(
        &self,
        caller: Caller,
        mut request: api::SetRollRulesRequest,
    ) -> Result<api::SetRollRulesResponse> {
        let organ = Organ::parse(&request.organ, "organ")?;
        let asked = Asked::of(&mut request)?;
        let rules = request.rules.clone().ok_or_else(|| Fault::required("rules"))?;
        let rules = Box::new(jiyao_wire::roll_rules_from(rules)?);
        let command = Command::SetRules { organ, rules };
        let committed = self.0.ledger.submit(&caller, asked, command).await?;
        Ok(api::SetRollRulesResponse { rules: request.rules, position: Some(cursor_to(&committed.cursor)) })
    }

    async fn get_roll_rules(
        &self,
        _: Caller,
        request: api::GetRollRulesRequest,
    ) -> Result<api::GetRollRulesResponse> {
        let organ = Organ::parse(&request.organ, "organ")?;
        let (rules, _) = self.0.ledger.get()?.read(|view| view.rules(&organ))?;
        Ok(api::GetRollRulesResponse { rules: Some(jiyao_wire::roll_rules_to(&rules)) })
    }
}

/// The organisations and holders of posts of a change, from its record. Blocks on the disk.
fn change(
    ledger: &Ledger<AttendanceDomain>,
    organ: &Organ,
    version: u64,
) -> Result<api::GetDirectoryChangeResponse> {
    let ((sequence, directory), _) = ledger
        .read(|view| Ok((view.value(&keys::directory_change(organ, version))?, view.directory(organ)?)))?;
    let missing = || Fault::invalid("version", version);
    let sequence =
        sequence.and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes).ok_or_else(missing)?;
    let record = ledger.record(sequence)?.unwrap_or_default();
    let mut answer = api::GetDirectoryChangeResponse::default();
    for event in &record.events {
        let noted: jiyao_proto::stored::v1::Noted = jiyao_ledger::decode_event(event)?;
        for part in noted.parts {
            match from_json(&part)? {
                Entry::Unit(unit) => answer.units.push(jiyao_wire::unit_to(&unit)),
                Entry::Tenure(tenure) => {
                    let post = directory.entries_of(&tenure.post).last();
                    let title = post.map(|post| post.title.clone()).unwrap_or_default();
                    answer.holders.push(jiyao_wire::holder_to(&tenure, title));
                }
                Entry::Person(_) | Entry::Post(_) => {}
            }
        }
    }
    Ok(answer)
}

service! {
    DirectoryService for DirectoryApi, at "/jiyao.attendance.v1.DirectoryService";
    calls {
        import_directory: ImportDirectoryRequest => ImportDirectoryResponse, "ImportDirectory", CLERKS;
        list_units: ListUnitsRequest => ListUnitsResponse, "ListUnits", READERS;
        get_standing_units: GetStandingUnitsRequest => GetStandingUnitsResponse, "GetStandingUnits", READERS;
        list_members: ListMembersRequest => ListMembersResponse, "ListMembers", READERS;
        list_tenures: ListTenuresRequest => ListTenuresResponse, "ListTenures", READERS;
        get_directory_change: GetDirectoryChangeRequest => GetDirectoryChangeResponse, "GetDirectoryChange", READERS;
        set_roll_rules: SetRollRulesRequest => SetRollRulesResponse, "SetRollRules", CLERKS;
        get_roll_rules: GetRollRulesRequest => GetRollRulesResponse, "GetRollRules", READERS;
    }
    others {}
}
