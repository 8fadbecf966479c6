//! Organisations, people, posts apart from their holders, and who holds what from when to when: readable as of a day
//! (requirement 22).

use std::collections::{BTreeMap, BTreeSet};

use jiyao_calendar::Date;
use serde::{Deserialize, Serialize};

/// What kind of body an organisation is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UnitKind {
    /// 政府本级, its office included.
    Government,
    /// 工作部门.
    Department,
    /// 下级政府: counties, districts, towns.
    LocalGovernment,
    /// 党委及其部门.
    Party,
    /// 人大.
    Congress,
    /// 政协.
    Consultative,
    /// 法院.
    Court,
    /// 检察院.
    Procuratorate,
    /// 国有企业 and other firms.
    Company,
    /// 专班, 领导小组.
    TaskForce,
    /// Any other.
    #[default]
    Other,
}

impl UnitKind {
    /// Every kind with its name in tables.
    pub const ALL: [(Self, &'static str); 11] = [
        (Self::Government, "GOVERNMENT"),
        (Self::Department, "DEPARTMENT"),
        (Self::LocalGovernment, "LOCAL_GOVERNMENT"),
        (Self::Party, "PARTY"),
        (Self::Congress, "CONGRESS"),
        (Self::Consultative, "CONSULTATIVE"),
        (Self::Court, "COURT"),
        (Self::Procuratorate, "PROCURATORATE"),
        (Self::Company, "COMPANY"),
        (Self::TaskForce, "TASK_FORCE"),
        (Self::Other, "OTHER"),
    ];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("OTHER", |(_, name)| name)
    }
}

/// From a day on, until a day: both included; None is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// First day.
    pub from: Option<Date>,
    /// Last day.
    pub until: Option<Date>,
}

impl Span {
    /// Whether a day lies in it.
    #[must_use]
    pub fn holds(&self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day) && self.until.is_none_or(|until| day <= until)
    }

    /// The first day; empty where it is open.
    fn begin(&self) -> String {
        self.from.map(|from| from.to_string()).unwrap_or_default()
    }

    /// Whether two have a day in common.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        let before = |one: &Self, other: &Self| matches!((one.until, other.from), (Some(until), Some(from)) if until < from);
        !before(self, other) && !before(other, self)
    }
}

/// An organisation (单位).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// Its id in the organ's directory.
    pub id: String,
    /// Full title.
    pub title: String,
    /// Short form, e.g. 市教育局; may be empty.
    pub short: String,
    /// Other names.
    pub aliases: Vec<String>,
    /// What it is.
    pub kind: UnitKind,
    /// Recipient classes (分送类别) that it belongs to, as minutes print them.
    pub classes: Vec<String>,
    /// Since when, until when.
    pub span: Span,
    /// Ids of what took its place after a reorganisation.
    pub successors: Vec<String>,
}

impl Unit {
    /// Title, short form and aliases.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.title)
            .chain(std::iter::once(&self.short))
            .chain(&self.aliases)
            .map(String::as_str)
            .filter(|name| !name.is_empty())
    }

    /// Whether it is called so, blanks and punctuation aside.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        let wanted = plain(name);
        self.names().any(|name| plain(name) == wanted)
    }

    /// Whether it belongs to a recipient class. Punctuation does not tell classes apart.
    #[must_use]
    pub fn is_of(&self, class: &str) -> bool {
        let wanted = plain(class);
        self.classes.iter().any(|class| plain(class) == wanted)
    }

    /// What it is called on lists: the short form where there is one.
    #[must_use]
    pub fn called(&self) -> &str {
        if self.short.is_empty() { &self.title } else { &self.short }
    }
}

/// Somebody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Id in the organ's directory.
    pub id: String,
    /// Name.
    pub name: String,
}

impl Person {
    /// Whether they are called so, blanks and punctuation aside.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        plain(&self.name) == plain(name)
    }
}

/// Rank of a post: what laws and rules of quorum speak of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Rank {
    /// 市长, 县长.
    Head,
    /// 副市长, 副县长.
    Deputy,
    /// 秘书长.
    SecretaryGeneral,
    /// Any other.
    #[default]
    Other,
}

impl Rank {
    /// Every rank with its name in tables.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Head, "HEAD"),
        (Self::Deputy, "DEPUTY"),
        (Self::SecretaryGeneral, "SECRETARY_GENERAL"),
        (Self::Other, "OTHER"),
    ];
}

/// An office (职务), apart from its holders.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    /// Id in the organ's directory.
    pub id: String,
    /// E.g. 副市长.
    pub title: String,
    /// Id of its organisation; may be empty.
    pub unit: String,
    /// Rank.
    pub rank: Rank,
    /// Kinds of meeting that it is a member of, e.g. 常务会议.
    pub member_of: Vec<String>,
    /// Since when, until when it was so: another rank or another membership is another entry of the same id.
    #[serde(default)]
    pub span: Span,
}

impl Post {
    /// Whether it is called so, blanks and punctuation aside.
    #[must_use]
    pub fn is_called(&self, title: &str) -> bool {
        plain(&self.title) == plain(title)
    }

    /// Id and first day: `/` stands in no id.
    fn key(&self) -> String {
        format!("{}/{}", self.id, self.span.begin())
    }
}

/// Somebody holds a post.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenure {
    /// Id of the post.
    pub post: String,
    /// Id of the person.
    pub person: String,
    /// Since when, until when.
    pub span: Span,
    /// Principals that act as the holder; none: nobody acts in the post by this.
    #[serde(default)]
    pub principals: Vec<String>,
}

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Entry {
    /// An organisation.
    Unit(Unit),
    /// Somebody.
    Person(Person),
    /// An office.
    Post(Post),
    /// Who holds it.
    Tenure(Tenure),
}

impl Entry {
    /// Two entries of one key are two states of the same thing: the newer takes the place of the older. Keys of
    /// organisations begin with [`Entry::UNITS`], those of tenures with [`Entry::TENURES`], each in the order of ids.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Unit(unit) => Self::unit_key(&unit.id),
            Self::Person(person) => Self::person_key(&person.id),
            Self::Post(post) => format!("{}{}", Self::post_keys(&post.id), post.span.begin()),
            Self::Tenure(tenure) => {
                format!("{}{}/{}", Self::tenure_keys(&tenure.post), tenure.person, tenure.span.begin())
            }
        }
    }

    /// What keys of organisations begin with.
    pub const UNITS: &'static str = "u/";
    /// What keys of tenures begin with.
    pub const TENURES: &'static str = "t/";

    /// Key of an organisation.
    #[must_use]
    pub fn unit_key(id: &str) -> String {
        format!("{}{id}", Self::UNITS)
    }

    /// Key of somebody.
    #[must_use]
    pub fn person_key(id: &str) -> String {
        format!("p/{id}")
    }

    /// What keys of the entries of a post begin with.
    #[must_use]
    pub fn post_keys(id: &str) -> String {
        format!("o/{id}/")
    }

    /// What keys of the tenures of a post begin with.
    #[must_use]
    pub fn tenure_keys(post: &str) -> String {
        format!("{}{post}/", Self::TENURES)
    }

    /// By what it is found, each once.
    #[must_use]
    pub fn found_by(&self) -> BTreeSet<String> {
        match self {
            Self::Unit(unit) => {
                let classes = unit.classes.iter().map(|class| By::UnitClass(class));
                let successors = unit.successors.iter().map(|id| By::FollowedBy(id));
                let found = unit.names().map(By::UnitName).chain(classes).chain(successors);
                found.map(|by| by.place()).collect()
            }
            Self::Person(person) => [By::PersonName(&person.name).place()].into(),
            Self::Post(post) => {
                let kinds = post.member_of.iter().map(|kind| By::MemberOf(kind).place());
                kinds.chain([By::PostTitle(&post.title).place(), By::Rank(post.rank).place()]).collect()
            }
            Self::Tenure(tenure) => [By::HeldBy(&tenure.person).place()].into(),
        }
    }
}

/// By what entries are found without looking at all of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By<'w> {
    /// Organisations of a title, short form or alias.
    UnitName(&'w str),
    /// Organisations of a recipient class.
    UnitClass(&'w str),
    /// Organisations whose place another has taken, by its id.
    FollowedBy(&'w str),
    /// People of a name.
    PersonName(&'w str),
    /// Posts of a title.
    PostTitle(&'w str),
    /// Posts that are members of a kind of meeting.
    MemberOf(&'w str),
    /// Posts of a rank.
    Rank(Rank),
    /// Tenures of a person, by id.
    HeldBy(&'w str),
}

impl By<'_> {
    /// Where an index has what is found by this: blanks and punctuation of names aside.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::UnitName(name) => format!("n/{}", plain(name)),
            Self::UnitClass(class) => format!("c/{}", plain(class)),
            Self::FollowedBy(id) => format!("s/{id}"),
            Self::PersonName(name) => format!("p/{}", plain(name)),
            Self::PostTitle(title) => format!("o/{}", plain(title)),
            Self::MemberOf(kind) => format!("k/{kind}"),
            Self::Rank(rank) => format!("r/{}", *rank as u8),
            Self::HeldBy(person) => format!("h/{person}"),
        }
    }
}

/// A member of a meeting on a day.
pub type Membership<'d> = (&'d Person, &'d Post);

/// The directory of one organ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    /// Organisations by id.
    pub units: BTreeMap<String, Unit>,
    /// People by id.
    pub people: BTreeMap<String, Person>,
    /// Posts by id and first day.
    pub posts: BTreeMap<String, Post>,
    /// Who holds what, by key.
    pub tenures: BTreeMap<String, Tenure>,
}

impl Directory {
    /// Puts an entry, in the place of an older one of the same key.
    pub fn put(&mut self, entry: Entry) {
        let key = entry.key();
        match entry {
            Entry::Unit(unit) => drop(self.units.insert(unit.id.clone(), unit)),
            Entry::Person(person) => drop(self.people.insert(person.id.clone(), person)),
            Entry::Post(post) => drop(self.posts.insert(post.key(), post)),
            Entry::Tenure(tenure) => drop(self.tenures.insert(key, tenure)),
        }
    }

    /// All entries: organisations, people, posts, tenures.
    pub fn into_entries(self) -> impl Iterator<Item = Entry> {
        let units = self.units.into_values().map(Entry::Unit);
        let people = self.people.into_values().map(Entry::Person);
        let posts = self.posts.into_values().map(Entry::Post);
        units.chain(people).chain(posts).chain(self.tenures.into_values().map(Entry::Tenure))
    }

    /// Organisations that exist on a day.
    pub fn units_on(&self, day: Date) -> impl Iterator<Item = &Unit> {
        self.units.values().filter(move |unit| unit.span.holds(day))
    }

    /// Those of them that are called so: title, short form or alias, blanks aside.
    #[must_use]
    pub fn units_called(&self, name: &str, day: Date) -> Vec<&Unit> {
        self.units_on(day).filter(|unit| unit.is_called(name)).collect()
    }

    /// Those that belong to a recipient class. Punctuation does not tell classes apart.
    #[must_use]
    pub fn units_of(&self, class: &str, day: Date) -> Vec<&Unit> {
        self.units_on(day).filter(|unit| unit.is_of(class)).collect()
    }

    /// What has taken an organisation's place by a day: itself while it lasts, else what stands at the end of its
    /// successors. Empty where nothing has.
    #[must_use]
    pub fn standing_for(&self, id: &str, day: Date) -> Vec<&Unit> {
        let (mut found, mut seen, mut open) = (BTreeMap::new(), BTreeSet::new(), vec![id]);
        while let Some(id) = open.pop() {
            let Some(unit) = self.units.get(id).filter(|unit| seen.insert(unit.id.as_str())) else {
                continue;
            };
            if unit.span.holds(day) {
                found.insert(unit.id.as_str(), unit);
            } else {
                open.extend(unit.successors.iter().map(String::as_str));
            }
        }
        found.into_values().collect()
    }

    /// People of a name.
    #[must_use]
    pub fn people_called(&self, name: &str) -> Vec<&Person> {
        self.people.values().filter(|person| person.is_called(name)).collect()
    }

    /// What is kept of a post: one entry, or several one after the other.
    pub fn entries_of(&self, post: &str) -> impl Iterator<Item = &Post> {
        let begin = format!("{post}/");
        self.posts
            .range(begin.clone()..)
            .take_while(move |(key, _)| key.starts_with(&begin))
            .map(|(_, post)| post)
    }

    /// Who holds which post on a day, with the post as it was then.
    pub fn holders_on(&self, day: Date) -> impl Iterator<Item = Membership<'_>> {
        self.tenures.values().filter_map(move |tenure| self.held(tenure, Some(day)))
    }

    /// Whom a tenure is of and the post as it was on a day, where it was held then; without a day as it was when it was
    /// first held.
    #[must_use]
    pub fn held(&self, tenure: &Tenure, day: Option<Date>) -> Option<Membership<'_>> {
        if day.is_some_and(|day| !tenure.span.holds(day)) {
            return None;
        }
        let day = day.or(tenure.span.from).or(tenure.span.until);
        let post = self.entries_of(&tenure.post).find(|post| day.is_none_or(|day| post.span.holds(day)))?;
        Some((self.people.get(&tenure.person)?, post))
    }

    /// Members of a kind of meeting on a day, in the order of rank, post and person; each once, with the highest post.
    #[must_use]
    pub fn members_on(&self, kind: &str, day: Date) -> Vec<Membership<'_>> {
        let is_member = |(_, post): &Membership<'_>| post.member_of.iter().any(|of| of == kind);
        let mut found: Vec<Membership<'_>> = self.holders_on(day).filter(is_member).collect();
        found.sort_by(|(person, post), (other, other_post)| {
            (post.rank, &post.id, &person.id).cmp(&(other_post.rank, &other_post.id, &other.id))
        });
        let mut seen = BTreeSet::new();
        found.retain(|(person, _)| seen.insert(person.id.as_str()));
        found
    }
}

/// A name without blanks and punctuation.
pub(crate) fn plain(name: &str) -> String {
    name.chars().filter(|c| !c.is_whitespace() && !matches!(c, '、' | '，' | ',' | '・' | '·')).collect()
}
