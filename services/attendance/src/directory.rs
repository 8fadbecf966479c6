//! The directory over gRPC.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiyao_calendar::Date;
use jiyao_fault::{Fault, Reason, Result};
use jiyao_ledger::{Ledger, Reading, Submission, from_json};
use jiyao_names::Organ;
use jiyao_proto::attendance::v1::{self as api};
use jiyao_proto::server::attendance::v1::directory_service_server::DirectoryService;
use jiyao_rolls::{By, Directory, Entry, Table, Tenure, Unit};
use jiyao_serve::{Asked, Caller, Page, cursor_to, page_size, service};
use prost::Message as _;

use crate::api::Api;
use crate::documents::View as _;
use crate::domain::{AttendanceDomain, Command};
use crate::keys::{self, Generation};
use crate::staging::{Pages, answer_of, is_large, page_of};

/// Largest table taken.
const LARGEST_TABLE: usize = 768 << 10;
/// How often a table is held against the directory where others change that meanwhile.
const TRIES: usize = 8;

#[derive(Clone)]
pub(crate) struct DirectoryApi(pub(crate) Api);

fn required_day(text: &str, field: &str) -> Result<Date> {
    jiyao_wire::required_date(text, field)
}

/// An organ's directory, whole, and its version: to hold a table against. Read piece by piece; None where it changed
/// meanwhile.
fn whole(ledger: &Ledger<AttendanceDomain>, organ: &Organ) -> Result<Option<(u64, Directory)>> {
    let ((base, generation), _) =
        ledger.read(|view| Ok((view.directory_version(organ)?, view.generation(organ)?)))?;
    let mut directory = Directory::default();
    let is_same = |view: &Reading<'_>| Ok(view.directory_version(organ)? == base);
    let was_same = ledger.look_through(&keys::entries(organ, &generation), is_same, |_, _, entry| {
        directory.put(from_json(entry)?);
        Ok(())
    })?;
    Ok(was_same.then_some((base, directory)))
}

/// Entries whose keys begin so, behind a key.
fn entries_of<'v>(
    view: &'v Reading<'_>,
    organ: &Organ,
    generation: &Generation,
    begin: &str,
    after: &str,
) -> impl Iterator<Item = Result<(String, Entry)>> + use<'v> {
    let entries = keys::entries(organ, generation);
    let behind = if after.is_empty() { Vec::new() } else { [&entries[..], after.as_bytes()].concat() };
    let length = entries.len();
    view.scan(&[&entries[..], begin.as_bytes()].concat(), &behind).map(move |pair| {
        let (key, entry) = pair?;
        Ok((String::from_utf8(key[length..].to_vec()).map_err(Fault::internal)?, from_json(&entry)?))
    })
}

/// Entries that are found by something, behind a key.
fn found_by<'v>(
    view: &'v Reading<'_>,
    organ: &'v Organ,
    generation: Generation,
    by: &By<'_>,
    after: &str,
) -> impl Iterator<Item = Result<(String, Entry)>> + use<'v> {
    let place = keys::found_by(organ, &generation, by);
    let behind = if after.is_empty() { Vec::new() } else { [&place[..], after.as_bytes()].concat() };
    let length = place.len();
    view.scan(&place, &behind).map(move |pair| {
        let key = String::from_utf8(pair?.0[length..].to_vec()).map_err(Fault::internal)?;
        let entry = view.entry(organ, &generation, &key)?;
        Ok((key, entry.ok_or_else(|| Fault::internal("the index of a directory names what is not there"))?))
    })
}

/// Keys of tenures by whom and of which post they are, where that is asked for.
fn tenures_of(
    view: &Reading<'_>,
    organ: &Organ,
    generation: &Generation,
    (person, post): (&str, &str),
) -> Result<Option<BTreeSet<String>>> {
    if person.is_empty() && post.is_empty() {
        return Ok(None);
    }
    let mut keys = BTreeSet::new();
    if person.is_empty() {
        for key in view.found(organ, generation, &By::PostTitle(post))? {
            if let Some(Entry::Post(post)) = view.entry(organ, generation, &key)? {
                for tenure in entries_of(view, organ, generation, &Entry::tenure_keys(&post.id), "") {
                    keys.insert(tenure?.0);
                }
            }
        }
    } else {
        for key in view.found(organ, generation, &By::PersonName(person))? {
            if let Some(Entry::Person(person)) = view.entry(organ, generation, &key)? {
                keys.extend(view.found(organ, generation, &By::HeldBy(&person.id))?);
            }
        }
    }
    Ok(Some(keys))
}

impl DirectoryApi {
    async fn import_directory(
        &self,
        caller: Caller,
        mut request: api::ImportDirectoryRequest,
    ) -> Result<api::ImportDirectoryResponse> {
        let organ = Organ::parse(&request.parent, "parent")?;
        if request.table.len() > LARGEST_TABLE {
            return Err(jiyao_extract::too_large(LARGEST_TABLE, "table"));
        }
        let asked = Asked::of(&mut request)?;
        let (text, _) = jiyao_extract::decode(&request.table, "table")?;
        // Read here and held against what is there; the writer only makes sure that it still is.
        let table = Arc::new(Table::parse(text.trim_start_matches('\u{feff}'))?);
        for _ in 0..TRIES {
            let (of, table, ledger) = (organ.clone(), Arc::clone(&table), self.0.ledger.get()?.clone());
            let look = move || {
                let Some((base, directory)) = whole(&ledger, &of)? else { return Ok(None) };
                let found = table.against(&directory);
                let pages =
                    is_large(&found).then(|| Pages::of(base, directory, &found.entries)).transpose()?;
                Ok::<_, Fault>(Some((base, Arc::new(found), pages)))
            };
            let looked = tokio::task::spawn_blocking(look).await.map_err(Fault::internal)??;
            let Some((base, found, pages)) = looked else { continue };
            if request.preview {
                return Ok(answer_of(base, &found));
            }
            let mut staged = None;
            if let Some(pages) = pages {
                staged = self.stage(&caller, &organ, base, pages).await?;
                if staged.is_none() {
                    continue;
                }
            }
            // Decided where it is written: a repeat gets its first answer, whatever the directory has become.
            let command = Command::ChangeDirectory { organ: organ.clone(), base, found, staged };
            let committed = self.0.ledger.submit(&caller, asked.clone(), command).await?;
            if committed.answer.is_empty() {
                continue;
            }
            self.sweep(&caller, &organ).await;
            let made =
                api::ImportDirectoryResponse::decode(committed.answer.as_slice()).map_err(Fault::internal)?;
            return Ok(api::ImportDirectoryResponse { position: Some(cursor_to(&committed.cursor)), ..made });
        }
        Err(Fault::new(Reason::Busy))
    }

    /// Stages all that a table comes to, page by page. None: the directory has changed meanwhile.
    async fn stage(
        &self,
        caller: &Caller,
        organ: &Organ,
        base: u64,
        pages: Pages,
    ) -> Result<Option<Generation>> {
        let Pages { generation, pages } = pages;
        for (page, entries) in (0..).zip(pages) {
            let organ = organ.clone();
            let command = Command::StageDirectory { organ, base, generation, page, entries };
            let own = Submission::own(&caller.principal.name, caller.method, command);
            if self.0.ledger.get()?.submit(own).await?.answer.is_empty() {
                return Ok(None);
            }
        }
        Ok(Some(generation))
    }

    /// Clears what is left of generations that are not in force. What cannot be cleared now, the next import clears.
    async fn sweep(&self, caller: &Caller, organ: &Organ) {
        loop {
            let command = Command::SweepDirectory { organ: organ.clone() };
            let own = Submission::own(&caller.principal.name, caller.method, command);
            let Ok(ledger) = self.0.ledger.get() else { return };
            if ledger.submit(own).await.map_or(true, |swept| swept.answer.is_empty()) {
                return;
            }
        }
    }

    async fn list_units(
        &self,
        caller: Caller,
        request: api::ListUnitsRequest,
    ) -> Result<api::ListUnitsResponse> {
        let organ = Organ::parse(&request.parent, "parent")?;
        let day = jiyao_wire::date_from(&request.as_of, "as_of")?;
        let size = page_size(request.page_size)?;
        let query =
            caller.query(&["ListUnits", &request.parent, &request.as_of, &request.class, &request.called])?;
        let after = String::from_utf8(query.after(&request.page_token)?).unwrap_or_default();
        let read = move |view: &Reading<'_>| {
            let generation = view.generation(&organ)?;
            // Without a day all that ever were count, each by what it was.
            let is_wanted = |unit: &Unit| {
                let on = day.or(unit.span.until).or(unit.span.from).unwrap_or(Date::MAX);
                unit.span.holds(on)
                    && (request.class.is_empty() || unit.is_of(&request.class))
                    && (request.called.is_empty() || unit.is_called(&request.called))
            };
            let show = |entry| match entry {
                Entry::Unit(unit) => Ok(is_wanted(&unit).then(|| jiyao_wire::unit_to(&unit))),
                _ => Ok(None),
            };
            match (request.called.as_str(), request.class.as_str()) {
                ("", "") => {
                    Page::of_rows(entries_of(view, &organ, &generation, Entry::UNITS, &after), size, show)
                }
                ("", class) => Page::of_rows(
                    found_by(view, &organ, generation, &By::UnitClass(class), &after),
                    size,
                    show,
                ),
                (name, _) => {
                    Page::of_rows(found_by(view, &organ, generation, &By::UnitName(name), &after), size, show)
                }
            }
        };
        let (page, sequence) = self.0.ledger.read_much(read).await?;
        let next_page_token = query.token(page.next)?;
        Ok(api::ListUnitsResponse { units: page.found, next_page_token, sequence })
    }

    async fn get_standing_units(
        &self,
        _: Caller,
        request: api::GetStandingUnitsRequest,
    ) -> Result<api::GetStandingUnitsResponse> {
        let organ = Organ::parse(&request.parent, "parent")?;
        let day = required_day(&request.as_of, "as_of")?;
        let read = move |view: &Reading<'_>| {
            let lineage = view.lineage(&organ, &request.unit)?;
            if !lineage.units.contains_key(&request.unit) {
                return Err(Fault::new(Reason::UnitNotFound).at("unit").with("unit", &request.unit));
            }
            Ok(lineage.standing_for(&request.unit, day).into_iter().map(jiyao_wire::unit_to).collect())
        };
        Ok(api::GetStandingUnitsResponse { units: self.0.ledger.read_much(read).await?.0 })
    }

    async fn list_members(
        &self,
        _: Caller,
        request: api::ListMembersRequest,
    ) -> Result<api::ListMembersResponse> {
        let organ = Organ::parse(&request.parent, "parent")?;
        let day = required_day(&request.as_of, "as_of")?;
        let read = move |view: &Reading<'_>| {
            let directory = view.part(&organ, &[By::MemberOf(&request.meeting_kind)])?;
            let members = directory.members_on(&request.meeting_kind, day);
            Ok(members.iter().map(jiyao_wire::member_to).collect())
        };
        let (members, sequence) = self.0.ledger.read_much(read).await?;
        Ok(api::ListMembersResponse { members, sequence })
    }

    async fn list_tenures(
        &self,
        caller: Caller,
        request: api::ListTenuresRequest,
    ) -> Result<api::ListTenuresResponse> {
        let organ = Organ::parse(&request.parent, "parent")?;
        let day = jiyao_wire::date_from(&request.as_of, "as_of")?;
        let size = page_size(request.page_size)?;
        let query = caller.query(&[
            "ListTenures",
            &request.parent,
            &request.as_of,
            &request.person,
            &request.post,
        ])?;
        let after = String::from_utf8(query.after(&request.page_token)?).unwrap_or_default();
        let read = move |view: &Reading<'_>| {
            let generation = view.generation(&organ)?;
            let show = |tenure: Tenure| {
                let named = view.named_by(&organ, &generation, &tenure)?;
                let Some((person, post)) = named.held(&tenure, day) else { return Ok(None) };
                let is_wanted = (request.person.is_empty() || person.is_called(&request.person))
                    && (request.post.is_empty() || post.is_called(&request.post));
                Ok(is_wanted.then(|| jiyao_wire::tenure_to(&tenure, person, post)))
            };
            let show = |entry| match entry {
                Entry::Tenure(tenure) => show(tenure),
                _ => Ok(None),
            };
            match tenures_of(view, &organ, &generation, (&request.person, &request.post))? {
                None => {
                    Page::of_rows(entries_of(view, &organ, &generation, Entry::TENURES, &after), size, show)
                }
                Some(keys) => {
                    let behind = keys.into_iter().filter(|key| *key > after);
                    let entry = |key: String| {
                        let entry = view.entry(&organ, &generation, &key).transpose()?;
                        Some(entry.map(|entry| (key, entry)))
                    };
                    Page::of_rows(behind.filter_map(entry), size, show)
                }
            }
        };
        let (page, sequence) = self.0.ledger.read_much(read).await?;
        let next_page_token = query.token(page.next)?;
        Ok(api::ListTenuresResponse { tenures: page.found, next_page_token, sequence })
    }

    async fn get_directory_change(
        &self,
        caller: Caller,
        request: api::GetDirectoryChangeRequest,
    ) -> Result<api::GetDirectoryChangeResponse> {
        let organ = Organ::parse(&request.parent, "parent")?;
        let ledger = self.0.ledger.get()?.clone();
        let query = caller.query(&["GetDirectoryChange", &request.parent, &request.version.to_string()])?;
        let page = query.after(&request.page_token)?.try_into().map_or(0, u32::from_be_bytes);
        let read = move || change(&ledger, &organ, request.version, page);
        let (mut answer, is_more) = tokio::task::spawn_blocking(read).await.map_err(Fault::internal)??;
        if is_more {
            answer.next_page_token = query.token(Some((page + 1).to_be_bytes()))?;
        }
        Ok(answer)
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

/// The organisations and holders of posts of a page of a change, from its record, and whether another page follows.
/// Blocks on the disk.
fn change(
    ledger: &Ledger<AttendanceDomain>,
    organ: &Organ,
    version: u64,
    page: u32,
) -> Result<(api::GetDirectoryChangeResponse, bool)> {
    let (found, _) = ledger.read(|view| page_of(view, organ, version, page))?;
    let (sequence, is_more) = found.ok_or_else(|| Fault::invalid("version", version))?;
    let record = ledger.record(sequence)?.unwrap_or_default();
    let mut entries: Vec<Entry> = Vec::new();
    for event in &record.events {
        let noted: jiyao_proto::stored::v1::Noted = jiyao_ledger::decode_event(event)?;
        for part in noted.parts {
            entries.push(from_json(&part)?);
        }
    }
    let (answer, _) = ledger.read(|view| {
        let generation = view.generation(organ)?;
        let mut answer = api::GetDirectoryChangeResponse::default();
        for entry in &entries {
            match entry {
                Entry::Unit(unit) => answer.units.push(jiyao_wire::unit_to(unit)),
                Entry::Tenure(tenure) => {
                    let named = view.named_by(organ, &generation, tenure)?;
                    let title = named.entries_of(&tenure.post).last().map(|post| post.title.clone());
                    answer.holders.push(jiyao_wire::holder_to(tenure, title.unwrap_or_default()));
                }
                Entry::Person(_) | Entry::Post(_) => {}
            }
        }
        Ok(answer)
    })?;
    Ok((answer, is_more))
}

service! {
    DirectoryService for DirectoryApi;
    calls {
        import_directory: ImportDirectoryRequest => ImportDirectoryResponse;
        list_units: ListUnitsRequest => ListUnitsResponse;
        get_standing_units: GetStandingUnitsRequest => GetStandingUnitsResponse;
        list_members: ListMembersRequest => ListMembersResponse;
        list_tenures: ListTenuresRequest => ListTenuresResponse;
        get_directory_change: GetDirectoryChangeRequest => GetDirectoryChangeResponse;
        set_roll_rules: SetRollRulesRequest => SetRollRulesResponse;
        get_roll_rules: GetRollRulesRequest => GetRollRulesResponse;
    }
}
