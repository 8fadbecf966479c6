//! Lists of things that belong to minutes, newest meeting first: where they lie in the state, and pages of them.

use jiyao_fault::{Fault, Result};
use jiyao_ledger::{Overlay, Reading};
use jiyao_names::{Minutes, Scope};
use prost::Message;

/// Rows that a page looks at, at most.
const LOOKED_AT: usize = 2000;

/// Prefix of the list that a scope is read from. Ids hold no `/`, so lists cannot run into each other.
#[must_use]
pub fn list_of(scope: &Scope) -> Vec<u8> {
    match scope {
        Scope::All => b"a/".to_vec(),
        Scope::One(organ) => [b"l/", organ.id().as_bytes(), b"/"].concat(),
    }
}

/// Places of what belongs to minutes, in the list of all and in that of the organ: by ISO date of the meeting, newest
/// first, those without a date last.
#[must_use]
pub fn places_of(name: &Minutes, date: &str) -> [Vec<u8>; 2] {
    let newest_first: Vec<u8> = match date.len() {
        10 => date.bytes().map(|byte| 0xff - byte).collect(),
        _ => vec![0xff; 10],
    };
    let tail = [&newest_first[..], name.organ.id().as_bytes(), b"/", name.id.as_bytes()].concat();
    [list_of(&Scope::All), list_of(&Scope::One(name.organ.clone()))].map(|list| [list, tail.clone()].concat())
}

/// Puts a value into the lists of minutes; where an earlier revision stood at another date, it goes from there.
pub fn put_listed(view: &mut Overlay<'_>, name: &Minutes, before: Option<&str>, date: &str, value: &[u8]) {
    for place in before.into_iter().flat_map(|before| places_of(name, before)) {
        view.remove(place);
    }
    for place in places_of(name, date) {
        view.put(place, value.to_vec());
    }
}

/// Key of the document of minutes.
#[must_use]
pub fn document_of(name: &Minutes) -> Vec<u8> {
    [b"m/", name.organ.id().as_bytes(), b"/", name.id.as_bytes()].concat()
}

/// Some values of a list, and the key to go on after.
#[derive(Debug)]
pub struct Page<M> {
    /// At most as many as asked for.
    pub found: Vec<M>,
    /// None: this was the last page.
    pub next: Option<Vec<u8>>,
}

impl<M> Default for Page<M> {
    fn default() -> Self {
        Self { found: Vec::new(), next: None }
    }
}

impl<M> Page<M> {
    /// Reads the values under `prefix` behind the key `after`, as `take` makes something of them; None is passed over.
    ///
    /// # Errors
    /// `STATE_UNAVAILABLE`; those of `take`.
    pub fn of(
        view: &Reading<'_>,
        prefix: &[u8],
        after: &[u8],
        size: usize,
        take: impl Fn(Vec<u8>) -> Result<Option<M>>,
    ) -> Result<Self> {
        Self::of_rows(view.scan(prefix, after), size, take)
    }

    /// The same of rows with their keys. After so many rows a page ends, however few were taken: the next one goes on.
    ///
    /// # Errors
    /// Those of the rows and of `take`.
    pub fn of_rows<K: Into<Vec<u8>>, R>(
        rows: impl Iterator<Item = Result<(K, R)>>,
        size: usize,
        take: impl Fn(R) -> Result<Option<M>>,
    ) -> Result<Self> {
        let (mut page, mut last) = (Self::default(), None);
        for (looked_at, row) in rows.enumerate() {
            let (key, row) = row?;
            if looked_at == LOOKED_AT {
                page.next = last.map(K::into);
                break;
            }
            if let Some(taken) = take(row)? {
                if page.found.len() == size {
                    page.next = last.map(K::into);
                    break;
                }
                page.found.push(taken);
            }
            last = Some(key);
        }
        Ok(page)
    }
}

impl<M: Message + Default> Page<M> {
    /// Reads the values under `prefix` behind the key `after` that are `wanted`.
    ///
    /// # Errors
    /// `STATE_UNAVAILABLE`; `INTERNAL` for a value that does not decode.
    pub fn read(
        view: &Reading<'_>,
        prefix: &[u8],
        after: &[u8],
        size: usize,
        wanted: impl Fn(&M) -> Result<bool>,
    ) -> Result<Self> {
        Self::of(view, prefix, after, size, |value| {
            let value = M::decode(value.as_slice()).map_err(Fault::internal)?;
            Ok(wanted(&value)?.then_some(value))
        })
    }
}
