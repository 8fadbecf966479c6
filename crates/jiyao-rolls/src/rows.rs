//! A table of directory entries: read whole, checked whole against what is there, taken whole or not at all.
//!
//! One line of headings, then one line an entry. `type` is `unit`, `person`, `post` or `tenure`; the other columns are
//! `id`, `title` (of a person: the name), `short`, `aliases`, `kind`, `classes`, `unit`, `rank`, `member_of`, `person`,
//! `post`, `from`, `until`, `successors`; of a post `from` and `until` are the days that it had this rank and these
//! memberships. Several values in a cell are parted by `；` or `;`.

use std::collections::{BTreeMap, BTreeSet};

use jiyao_calendar::{Date, parse_iso};
use jiyao_fault::{Fault, Result};
use serde::{Deserialize, Serialize};

use crate::directory::{Directory, Entry, Person, Post, Rank, Span, Tenure, Unit, UnitKind, plain};

/// What is wrong with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RowCode {
    /// A cell that must not be empty.
    Empty,
    /// A value that is none of those it may be.
    Unknown,
    /// Not an ISO date.
    DateInvalid,
    /// It ends before it begins.
    DatesReversed,
    /// The same entry stands further up.
    Duplicate,
    /// Another organisation bears the name in the same time.
    NameTaken,
    /// Names something that is neither in the table nor in the directory.
    Missing,
    /// Its successors lead in a circle.
    Cycle,
    /// The same person holds the same post twice in the same time, or a post is two things in the same time.
    Overlap,
}

impl RowCode {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "EMPTY",
            Self::Unknown => "UNKNOWN",
            Self::DateInvalid => "DATE_INVALID",
            Self::DatesReversed => "DATES_REVERSED",
            Self::Duplicate => "DUPLICATE",
            Self::NameTaken => "NAME_TAKEN",
            Self::Missing => "MISSING",
            Self::Cycle => "CYCLE",
            Self::Overlap => "OVERLAP",
        }
    }
}

/// A row that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowError {
    /// Line in the table, from 1; the headings are line 1.
    pub line: u64,
    /// Which column.
    pub column: &'static str,
    /// Why.
    pub code: RowCode,
    /// What stands there, or what it collides with.
    pub value: String,
}

/// What a table would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// Entries to take, in the order of the table; those that change nothing are left out.
    pub entries: Vec<Entry>,
    /// How many are new.
    pub added: usize,
    /// How many change one that is there.
    pub changed: usize,
    /// How many are there already, the same.
    pub unchanged: usize,
    /// What is refused; nothing is taken unless this is empty.
    pub errors: Vec<RowError>,
}

const COLUMNS: [&str; 16] = [
    "type",
    "id",
    "title",
    "short",
    "aliases",
    "kind",
    "classes",
    "unit",
    "rank",
    "member_of",
    "person",
    "post",
    "from",
    "until",
    "successors",
    "principals",
];
/// Errors after which nobody reads on.
const MOST_ERRORS: usize = 500;

/// Cells of a row by column.
struct Cells<'r> {
    line: u64,
    record: &'r csv::StringRecord,
    places: &'r BTreeMap<&'static str, usize>,
    errors: &'r mut Vec<RowError>,
}

impl Cells<'_> {
    fn get(&self, column: &'static str) -> String {
        self.places.get(column).and_then(|at| self.record.get(*at)).unwrap_or_default().trim().to_owned()
    }

    fn wrong(&mut self, column: &'static str, code: RowCode, value: &str) {
        self.errors.push(RowError { line: self.line, column, code, value: value.to_owned() });
    }

    fn required(&mut self, column: &'static str) -> String {
        let value = self.get(column);
        if value.is_empty() {
            self.wrong(column, RowCode::Empty, "");
        }
        value
    }

    fn id(&mut self, column: &'static str) -> String {
        let value = self.required(column);
        let is_form = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if !value.chars().all(is_form) || value.len() > 64 {
            self.wrong(column, RowCode::Unknown, &value);
        }
        value
    }

    fn list(&self, column: &'static str) -> Vec<String> {
        self.get(column)
            .split(['；', ';'])
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    }

    fn date(&mut self, column: &'static str) -> Option<Date> {
        let value = self.get(column);
        let date = parse_iso(&value);
        if !value.is_empty() && date.is_none() {
            self.wrong(column, RowCode::DateInvalid, &value);
        }
        date
    }

    fn span(&mut self) -> Span {
        let span = Span { from: self.date("from"), until: self.date("until") };
        if let (Some(from), Some(until)) = (span.from, span.until)
            && until < from
        {
            self.wrong("until", RowCode::DatesReversed, &until.to_string());
        }
        span
    }

    fn one_of<T: Copy + Default>(&mut self, column: &'static str, known: &[(T, &'static str)]) -> T {
        let value = self.get(column).to_uppercase();
        let found = known.iter().find(|(_, name)| *name == value).map(|(known, _)| *known);
        if found.is_none() && !value.is_empty() {
            self.wrong(column, RowCode::Unknown, &value);
        }
        found.unwrap_or_default()
    }

    fn entry(&mut self) -> Option<Entry> {
        let entry = match self.required("type").as_str() {
            "unit" => Entry::Unit(Unit {
                id: self.id("id"),
                title: self.required("title"),
                short: self.get("short"),
                aliases: self.list("aliases"),
                kind: self.one_of("kind", &UnitKind::ALL),
                classes: self.list("classes"),
                span: self.span(),
                successors: self.list("successors"),
            }),
            "person" => Entry::Person(Person { id: self.id("id"), name: self.required("title") }),
            "post" => Entry::Post(Post {
                id: self.id("id"),
                title: self.required("title"),
                unit: self.get("unit"),
                rank: self.one_of("rank", &Rank::ALL),
                member_of: self.list("member_of"),
                span: self.span(),
            }),
            "tenure" => {
                let (post, person) = (self.id("post"), self.id("person"));
                Entry::Tenure(Tenure { post, person, span: self.span(), principals: self.list("principals") })
            }
            "" => return None,
            other => {
                let other = other.to_owned();
                self.wrong("type", RowCode::Unknown, &other);
                return None;
            }
        };
        Some(entry)
    }
}

/// A table that was read: its entries with their lines, and what is wrong with its rows whatever is there already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    rows: Vec<(u64, Entry)>,
    errors: Vec<RowError>,
}

impl Table {
    /// Reads a table.
    ///
    /// # Errors
    /// `FIELD_INVALID` at `table` where it is no table: no line of headings, an unknown or doubled heading, a row of
    /// another length.
    pub fn parse(table: &str) -> Result<Self> {
        let no_table = |why: &str| Fault::invalid("table", why);
        let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(table.as_bytes());
        let headings = reader.headers().map_err(|e| no_table(&e.to_string()))?.clone();
        let mut places = BTreeMap::new();
        for (at, heading) in headings.iter().enumerate() {
            let heading = heading.trim();
            let column = COLUMNS.into_iter().find(|column| *column == heading);
            let column = column.ok_or_else(|| no_table(&format!("heading {heading:?}")))?;
            if places.insert(column, at).is_some() {
                return Err(no_table(&format!("heading {heading:?} twice")));
            }
        }
        if !places.contains_key("type") {
            return Err(no_table("no heading \"type\""));
        }
        let (mut read, mut seen) = (Self::default(), BTreeSet::new());
        for record in reader.records() {
            let record = record.map_err(|e| no_table(&e.to_string()))?;
            let line = record.position().map_or(0, csv::Position::line);
            let mut cells = Cells { line, record: &record, places: &places, errors: &mut read.errors };
            let Some(entry) = cells.entry() else { continue };
            let key = entry.key();
            if seen.contains(&key) {
                cells.wrong("id", RowCode::Duplicate, &key);
                continue;
            }
            seen.insert(key);
            read.rows.push((line, entry));
            if read.errors.len() > MOST_ERRORS {
                break;
            }
        }
        Ok(read)
    }

    /// What it would do to a directory.
    #[must_use]
    pub fn against(&self, directory: &Directory) -> Preview {
        let mut preview = Preview { errors: self.errors.clone(), ..Preview::default() };
        let mut after = directory.clone();
        for (_, entry) in &self.rows {
            match known(directory, entry) {
                None => preview.added += 1,
                Some(true) => {
                    preview.unchanged += 1;
                    continue;
                }
                Some(false) => preview.changed += 1,
            }
            after.put(entry.clone());
            preview.entries.push(entry.clone());
        }
        let lines = self.rows.iter().map(|(line, entry)| (entry.key(), *line)).collect();
        check(&after, &lines, &mut preview.errors);
        preview.errors.sort_by_key(|error| error.line);
        preview.errors.truncate(MOST_ERRORS);
        preview
    }
}

/// Whether an entry is there: the same, or another.
fn known(directory: &Directory, entry: &Entry) -> Option<bool> {
    match entry {
        Entry::Unit(unit) => directory.units.get(&unit.id).map(|known| known == unit),
        Entry::Person(person) => directory.people.get(&person.id).map(|known| known == person),
        Entry::Post(post) => directory
            .entries_of(&post.id)
            .find(|known| known.span.from == post.span.from)
            .map(|known| known == post),
        Entry::Tenure(tenure) => directory.tenures.get(&entry.key()).map(|known| known == tenure),
    }
}

/// What holds between entries.
fn check(after: &Directory, lines: &BTreeMap<String, u64>, errors: &mut Vec<RowError>) {
    let mut wrong = |key: &str, column: &'static str, code: RowCode, value: &str| {
        // An entry that was there before and is only now at odds is blamed on the table's first line.
        let line = lines.get(key).copied().unwrap_or(1);
        errors.push(RowError { line, column, code, value: value.to_owned() });
    };
    let circle = in_circles(after);
    let mut names: BTreeMap<String, Vec<&Unit>> = BTreeMap::new();
    for unit in after.units.values() {
        let own: BTreeSet<String> = unit.names().map(plain).collect();
        for name in own {
            let bearers = names.entry(name).or_default();
            if let Some(other) = bearers.iter().find(|other| other.span.meets(&unit.span)) {
                let (later, earlier) = if lines.contains_key(&format!("u/{}", unit.id)) {
                    (unit, *other)
                } else {
                    (*other, unit)
                };
                wrong(&format!("u/{}", later.id), "title", RowCode::NameTaken, &earlier.id);
            }
            bearers.push(unit);
        }
        for successor in &unit.successors {
            if !after.units.contains_key(successor) {
                wrong(&format!("u/{}", unit.id), "successors", RowCode::Missing, successor);
            }
        }
        if circle.contains(unit.id.as_str()) {
            wrong(&format!("u/{}", unit.id), "successors", RowCode::Cycle, &unit.id);
        }
    }
    for (key, post) in &after.posts {
        if !post.unit.is_empty() && !after.units.contains_key(&post.unit) {
            wrong(&format!("o/{key}"), "unit", RowCode::Missing, &post.unit);
        }
        let others = after.entries_of(&post.id).filter(|other| other.span.from < post.span.from);
        if others.into_iter().any(|other| other.span.meets(&post.span)) {
            wrong(&format!("o/{key}"), "from", RowCode::Overlap, &post.id);
        }
    }
    let mut held: BTreeMap<(&str, &str), Vec<&Tenure>> = BTreeMap::new();
    for (key, tenure) in &after.tenures {
        if after.entries_of(&tenure.post).next().is_none() {
            wrong(key, "post", RowCode::Missing, &tenure.post);
        }
        if !after.people.contains_key(&tenure.person) {
            wrong(key, "person", RowCode::Missing, &tenure.person);
        }
        let same = held.entry((&tenure.post, &tenure.person)).or_default();
        if same.iter().any(|other| other.span.meets(&tenure.span)) {
            wrong(key, "from", RowCode::Overlap, &tenure.person);
        }
        same.push(tenure);
    }
}

/// Ids of organisations whose successors lead in a circle: what is left when those that nothing follows, and then those
/// that follow nothing, are taken away one after the other.
fn in_circles(directory: &Directory) -> BTreeSet<&str> {
    let links = directory.units.values().flat_map(|unit| {
        let follows = |next: &&String| directory.units.contains_key(*next);
        unit.successors.iter().filter(follows).map(|next| (unit.id.as_str(), next.as_str()))
    });
    let (mut forth, mut back): (Links<'_>, Links<'_>) = (BTreeMap::new(), BTreeMap::new());
    for (one, next) in links {
        forth.entry(one).or_default().push(next);
        back.entry(next).or_default().push(one);
    }
    let all: BTreeSet<&str> = directory.units.keys().map(String::as_str).collect();
    let lasting = without_ends(all, &forth, &back);
    without_ends(lasting, &back, &forth)
}

type Links<'d> = BTreeMap<&'d str, Vec<&'d str>>;

/// Takes away, until there is none, what leads to nothing that is left.
fn without_ends<'d>(mut left: BTreeSet<&'d str>, to: &Links<'d>, from: &Links<'d>) -> BTreeSet<&'d str> {
    let none = Vec::new();
    let leads_to = |id: &str| to.get(id).unwrap_or(&none);
    let mut open: BTreeMap<&str, usize> = left
        .iter()
        .map(|id| (*id, leads_to(id).iter().filter(|next| left.contains(*next)).count()))
        .collect();
    let mut ends: Vec<&str> = open.iter().filter(|(_, count)| **count == 0).map(|(id, _)| *id).collect();
    while let Some(end) = ends.pop() {
        left.remove(end);
        for before in from.get(end).unwrap_or(&none) {
            let Some(count) = open.get_mut(before).filter(|count| **count > 0) else { continue };
            *count -= 1;
            if *count == 0 {
                ends.push(before);
            }
        }
    }
    left
}
