//! How a table becomes the directory. Few changes are made by one command. Many are staged in pages beside the generation
//! in force, with all that stays, and take effect by one command that names their digest: the writer never has more
//! than a page to do, and nobody sees half of a table.

use jiyao_fault::{Fault, Reason, Result};
use jiyao_ledger::{Lookup as _, Overlay, from_json, to_json};
use jiyao_names::Organ;
use jiyao_proto::attendance::v1 as api;
use jiyao_rolls::{Directory, Entry, Preview, RowError};
use jiyao_wire::MOST_AT_ONCE;
use prost::Message as _;
use sha2::{Digest as _, Sha256};

use crate::documents::View;
use crate::keys::{self, Generation};

/// What was in force before: it waits to be swept.
const SUPERSEDED: u64 = u64::MAX;
/// That a page is there, or that some was swept; an empty answer says that there was nothing to do it with.
pub(crate) const TAKEN: &[u8] = &[1];

/// What is known of a generation that was staged: the version that it was made of, and how many pages it has.
pub(crate) struct Staged {
    base: u64,
    pub(crate) pages: u32,
}

impl Staged {
    fn encode(&self) -> Vec<u8> {
        [&self.base.to_be_bytes()[..], &self.pages.to_be_bytes()].concat()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let malformed = || Fault::internal("what is known of a staged directory is cut short");
        let (base, rest) = bytes.split_first_chunk().ok_or_else(malformed)?;
        let pages = rest.try_into().map_err(|_| malformed())?;
        Ok(Self { base: u64::from_be_bytes(*base), pages: u32::from_be_bytes(pages) })
    }
}

/// All entries of a directory after a table, in pages, and the digest that names them.
pub(crate) struct Pages {
    pub(crate) generation: Generation,
    pub(crate) pages: Vec<Vec<Vec<u8>>>,
}

impl Pages {
    /// The pages that a directory of a version makes with new entries.
    ///
    /// # Errors
    /// `INTERNAL`.
    pub(crate) fn of(base: u64, mut directory: Directory, entries: &[Entry]) -> Result<Self> {
        entries.iter().for_each(|entry| directory.put(entry.clone()));
        let all = directory.into_entries().map(|entry| to_json(&entry)).collect::<Result<Vec<_>>>()?;
        let mut digest = Sha256::new_with_prefix(base.to_be_bytes());
        for entry in &all {
            digest.update((entry.len() as u64).to_be_bytes());
            digest.update(entry);
        }
        let mut generation = Generation::default();
        generation.copy_from_slice(&digest.finalize()[..size_of::<Generation>()]);
        let pages = all.chunks(MOST_AT_ONCE).map(<[_]>::to_vec).collect();
        Ok(Self { generation, pages })
    }
}

/// Whether a table brings more than one command may.
pub(crate) fn is_large(found: &Preview) -> bool {
    found.errors.is_empty() && found.entries.len() > MOST_AT_ONCE
}

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
fn check_table(preview: &Preview) -> Result<()> {
    let Some(first) = preview.errors.first() else { return Ok(()) };
    let told = format!("line {}, {}: {} {}", first.line, first.column, first.code.as_str(), first.value);
    let fault =
        Fault::new(Reason::TableRefused).with("errors", preview.errors.len()).with("first", told.trim_end());
    let place = |error: &RowError| format!("table[{}].{}", error.line, error.column);
    Err(preview.errors.iter().fold(fault, |fault, error| fault.at(place(error))))
}

/// A change: the version that it makes, the generation that it puts in force or nothing, and else its entries.
type Change = (u64, Vec<u8>, Vec<Vec<u8>>);

/// The change that a table makes, and the answer: empty where the directory is not of that version any more, or what was
/// staged is not there.
///
/// # Errors
/// `TABLE_REFUSED`.
pub(crate) fn change(
    view: &Overlay<'_>,
    organ: &Organ,
    base: u64,
    found: &Preview,
    staged: Option<&Generation>,
) -> Result<(Option<Change>, Vec<u8>)> {
    if view.directory_version(organ)? != base {
        return Ok((None, Vec::new()));
    }
    check_table(found)?;
    if found.entries.is_empty() {
        return Ok((None, answer_of(base, found).encode_to_vec()));
    }
    let change = if is_large(found) {
        let Some(generation) = staged else { return Ok((None, Vec::new())) };
        if view.staged(organ, generation)?.is_none_or(|staged| staged.base != base) {
            return Ok((None, Vec::new()));
        }
        (base + 1, generation.to_vec(), Vec::new())
    } else {
        (base + 1, Vec::new(), found.entries.iter().map(to_json).collect::<Result<_>>()?)
    };
    Ok((Some(change), answer_of(base + 1, found).encode_to_vec()))
}

/// Whether a page is new, and the answer: empty where it is of no use any more.
pub(crate) fn page(
    view: &Overlay<'_>,
    organ: &Organ,
    base: u64,
    generation: &Generation,
    page: u32,
) -> Result<(bool, Vec<u8>)> {
    let there = view.staged(organ, generation)?.map_or(0, |staged| staged.pages);
    if view.directory_version(organ)? != base || page > there {
        return Ok((false, Vec::new()));
    }
    // Another call stages the same.
    Ok((page == there, TAKEN.to_vec()))
}

/// What the event of a page says of it.
pub(crate) fn page_body(base: u64, generation: &Generation) -> Vec<u8> {
    [&base.to_be_bytes()[..], generation].concat()
}

/// A generation that is not in force and never will be.
pub(crate) fn to_sweep(view: &Overlay<'_>, organ: &Organ) -> Result<Option<Generation>> {
    let version = view.directory_version(organ)?;
    for (key, staged) in view.under(&keys::generations(organ))? {
        if Staged::decode(&staged)?.base != version {
            return generation_of(&key).map(Some);
        }
    }
    Ok(None)
}

/// The generation that a key or a body ends with.
fn generation_of(bytes: &[u8]) -> Result<Generation> {
    bytes.last_chunk().copied().ok_or_else(|| Fault::internal("no generation of a directory is named"))
}

pub(crate) fn show_change(
    view: &mut Overlay<'_>,
    organ: &Organ,
    (version, sequence): (u64, u64),
    body: &[u8],
    parts: Vec<Vec<u8>>,
) -> Result<()> {
    let before = view.generation(organ)?;
    let stands_in = if body.is_empty() {
        for part in parts {
            show_entry(view, organ, &before, part)?;
        }
        sequence.to_be_bytes().to_vec()
    } else {
        let after = generation_of(body)?;
        let pages = view.staged(organ, &after)?.map_or(0, |staged| staged.pages);
        view.remove(keys::staged(organ, &after));
        view.put(keys::staged(organ, &before), Staged { base: SUPERSEDED, pages: 0 }.encode());
        view.put(keys::generation(organ), after.to_vec());
        [&after[..], &pages.to_be_bytes()].concat()
    };
    view.put(keys::directory_version(organ), version.to_be_bytes().to_vec());
    view.put(keys::directory_change(organ, version), stands_in);
    Ok(())
}

pub(crate) fn show_page(
    view: &mut Overlay<'_>,
    organ: &Organ,
    (page, sequence): (u32, u64),
    body: &[u8],
    parts: Vec<Vec<u8>>,
) -> Result<()> {
    let generation = generation_of(body)?;
    let base = body.first_chunk().copied().map_or(SUPERSEDED, u64::from_be_bytes);
    for part in parts {
        show_entry(view, organ, &generation, part)?;
    }
    view.put(keys::staged(organ, &generation), Staged { base, pages: page + 1 }.encode());
    view.put(keys::staged_page(organ, &generation, page), sequence.to_be_bytes().to_vec());
    Ok(())
}

/// Some of what is left of a generation goes; with the last of it, that it was there.
pub(crate) fn show_sweep(view: &mut Overlay<'_>, organ: &Organ, body: &[u8]) -> Result<()> {
    let generation = generation_of(body)?;
    let left = view.scan_some(&keys::entries(organ, &generation), &[], MOST_AT_ONCE)?;
    let is_last = left.len() < MOST_AT_ONCE;
    for (key, entry) in left {
        let entry: Entry = from_json(&entry)?;
        remove_found(view, organ, &generation, entry.found_by(), &entry.key());
        view.remove(key);
    }
    if is_last {
        // What was in force is still told of, page by page; what never was is not.
        if let Some(never) = view.staged(organ, &generation)?.filter(|staged| staged.base != SUPERSEDED) {
            for page in 0..never.pages {
                view.remove(keys::staged_page(organ, &generation, page));
            }
        }
        view.remove(keys::staged(organ, &generation));
    }
    Ok(())
}

fn remove_found(
    view: &mut Overlay<'_>,
    organ: &Organ,
    generation: &Generation,
    places: impl IntoIterator<Item = String>,
    key: &str,
) {
    for place in places {
        view.remove([&keys::found_at(organ, generation, &place)[..], key.as_bytes()].concat());
    }
}

fn show_entry(view: &mut Overlay<'_>, organ: &Organ, generation: &Generation, part: Vec<u8>) -> Result<()> {
    let entry: Entry = from_json(&part)?;
    let (key, mut places) = (entry.key(), entry.found_by());
    let at = [&keys::entries(organ, generation)[..], key.as_bytes()].concat();
    if let Some(before) = view.get(&at)? {
        let before = from_json::<Entry>(&before)?.found_by();
        let gone: Vec<String> = before.difference(&places).cloned().collect();
        remove_found(view, organ, generation, gone, &key);
        places.retain(|place| !before.contains(place));
    }
    for place in places {
        view.put([&keys::found_at(organ, generation, &place)[..], key.as_bytes()].concat(), Vec::new());
    }
    view.put(at, part);
    Ok(())
}

/// Sequence of the record that holds a page of a change of a directory, and whether another page follows; None where
/// there is no such version or page.
pub(crate) fn page_of(
    view: &impl View,
    organ: &Organ,
    version: u64,
    page: u32,
) -> Result<Option<(u64, bool)>> {
    let Some(stands_in) = view.value(&keys::directory_change(organ, version))? else { return Ok(None) };
    if let Ok(sequence) = <[u8; 8]>::try_from(stands_in.as_slice()) {
        return Ok((page == 0).then(|| (u64::from_be_bytes(sequence), false)));
    }
    let (generation, pages) = stands_in
        .split_first_chunk()
        .ok_or_else(|| Fault::internal("a change of a directory stands nowhere"))?;
    let pages = pages.try_into().map_or(0, u32::from_be_bytes);
    let sequence = view.value(&keys::staged_page(organ, generation, page))?;
    let sequence = sequence.and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
    Ok(sequence.map(|sequence| (sequence, page + 1 < pages)))
}
