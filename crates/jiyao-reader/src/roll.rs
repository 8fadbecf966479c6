//! The lists of the roll: who was there, unit and name often glued, lines broken inside entries and between them.

use std::ops::Range;

use crate::blocks::{Block, Kind, List};
use crate::facts::{Attendee, Doubt, DoubtCode, Facts};
use crate::flow::{Flow, Notes, is_blank};
use crate::words::{NameProof, Words};

/// Most pieces of one entry: a long unit over three lines.
const PIECES: usize = 3;
/// Longer pieces are no entry of a roll.
const LONGEST: usize = 40;
/// Marks between entries.
const MARKS: [char; 6] = ['、', '，', '；', ';', ',', '。'];
/// What stands for a name where a unit sent someone.
const REPRESENTATIVE: [&str; 4] = ["的代表", "代表", "有关负责同志", "有关负责人"];

pub(crate) fn read(text: &str, blocks: &[Block], words: &Words, facts: &mut Facts, notes: &mut Notes) {
    for block in blocks {
        let Kind::List(list) = block.kind else { continue };
        let entries = entries(text, &pieces(text, block), words, notes);
        let people = &mut facts.attendance;
        match list {
            List::Present => people.present.extend(entries),
            List::Observers => people.observers.extend(entries),
            List::Absent => people.absent.extend(entries),
            List::Recorders => people.recorders.extend(entries.into_iter().filter_map(|entry| entry.name)),
        }
    }
}

/// A stretch between separators. `glued`: only a line break is between it and the piece before, so that both may be
/// one entry.
struct Piece {
    range: Range<usize>,
    glued: bool,
}

fn pieces(text: &str, block: &Block) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for line in block.content() {
        let mut glued = !pieces.is_empty();
        let mut start = None;
        for (at, c) in text[line.clone()].char_indices().map(|(at, c)| (line.start + at, c)) {
            if is_blank(c) || MARKS.contains(&c) {
                pieces.extend(start.take().map(|start| Piece { range: start..at, glued }));
                glued = false;
            } else if start.is_none() {
                start = Some(at);
            }
        }
        pieces.extend(start.map(|start| Piece { range: start..line.end, glued }));
    }
    pieces
}

/// One way to read an entry, the cheaper the better proved.
struct Split {
    cost: u32,
    unit: Option<Range<usize>>,
    name: Option<Range<usize>>,
}

const UNPROVED: u32 = 100;
const UNIT_ALONE: u32 = 20;
/// A unit that could be cut into a unit and a name most likely is the unit: 市委宣传部 is no 宣传部 of 市委.
const CUT_UNIT: u32 = 10;
/// A bare name behind entries with units is most likely the beginning of a unit.
const BARE_NAME: u32 = 2;
const LONG_NAME: u32 = 15;
const JOINED: u32 = 1;

/// The best reading of some clean text as one entry, and how many readings are as good.
fn split(text: &str, words: &Words) -> (Split, usize) {
    let whole = 0..text.len();
    if text.chars().count() > LONGEST {
        return (Split { cost: UNPROVED, unit: None, name: Some(whole) }, 1);
    }
    let mut best: Option<(Split, usize)> = None;
    let mut offer = |split: Split| match &mut best {
        Some((found, ways)) if found.cost == split.cost => *ways += 1,
        Some((found, _)) if found.cost < split.cost => {}
        _ => best = Some((split, 1)),
    };
    let name_cost = |proof| match proof {
        NameProof::Surname => 0,
        NameProof::Long => LONG_NAME,
    };
    if let Some(proof) = words.name(text) {
        offer(Split { cost: name_cost(proof), unit: None, name: Some(whole.clone()) });
    }
    let is_unit = words.is_unit(text);
    let cut = if is_unit { CUT_UNIT } else { 0 };
    for (at, _) in text.char_indices().skip(1) {
        if let Some(proof) = words.name(&text[at..])
            && words.is_unit(&text[..at])
        {
            offer(Split { cost: name_cost(proof) + cut, unit: Some(0..at), name: Some(at..text.len()) });
        }
    }
    if let Some(unit) =
        REPRESENTATIVE.iter().find_map(|tail| text.strip_suffix(tail)).filter(|u| words.is_unit(u))
    {
        offer(Split { cost: 0, unit: Some(0..unit.len()), name: None });
    }
    if is_unit {
        offer(Split { cost: UNIT_ALONE, unit: Some(whole.clone()), name: None });
    }
    best.unwrap_or((Split { cost: UNPROVED, unit: None, name: Some(whole) }, 1))
}

/// The cheapest way to make entries of the pieces: each entry one piece, or several with only line breaks between.
fn entries(text: &str, pieces: &[Piece], words: &Words, notes: &mut Notes) -> Vec<Attendee> {
    let flow_of = |from: usize, to: usize| {
        Flow::join(text, &pieces[from..to].iter().map(|piece| piece.range.clone()).collect::<Vec<_>>())
    };
    // best[i][u]: least cost of the first i pieces where the last entry has a unit (u = 1) or none, with where that
    // entry begins and whether the one before it has a unit.
    let nowhere = Step { cost: u32::MAX, from: 0, after_unit: 0 };
    let mut best = vec![[Step { cost: 0, ..nowhere }, nowhere]];
    for to in 1..=pieces.len() {
        let mut here = [nowhere; 2];
        for from in (to.saturating_sub(PIECES)..to).rev() {
            let (split, _) = split(&flow_of(from, to).text, words);
            let has_unit = usize::from(split.unit.is_some());
            for (after_unit, step) in best[from].iter().enumerate().filter(|(_, step)| step.cost < u32::MAX) {
                let bare = if after_unit == 1 && has_unit == 0 { BARE_NAME } else { 0 };
                let cost = step.cost.saturating_add(split.cost + bare + (to - from - 1) as u32 * JOINED);
                if cost < here[has_unit].cost {
                    here[has_unit] = Step { cost, from, after_unit };
                }
            }
            if !pieces[from].glued {
                break;
            }
        }
        best.push(here);
    }
    let mut cuts = Vec::new();
    let (mut to, last) = (pieces.len(), &best[pieces.len()]);
    let mut unit = usize::from(last[1].cost < last[0].cost);
    while to > 0 {
        let step = best[to][unit];
        cuts.push((step.from, to));
        (to, unit) = (step.from, step.after_unit);
    }
    cuts.iter().rev().map(|(from, to)| attendee(&flow_of(*from, *to), words, notes)).collect()
}

#[derive(Clone, Copy)]
struct Step {
    cost: u32,
    from: usize,
    after_unit: usize,
}

fn attendee(flow: &Flow, words: &Words, notes: &mut Notes) -> Attendee {
    let (best, ways) = split(&flow.text, words);
    let code = match best.cost {
        0 if ways == 1 => None,
        0 => Some(DoubtCode::SplitAmbiguous),
        _ => Some(DoubtCode::EntryUnproved),
    };
    if let Some(code) = code {
        let spans = flow.spans(0..flow.text.len(), notes);
        notes.doubts.push(Doubt { code, spans, candidates: candidates(&flow.text, words) });
    }
    Attendee {
        unit: best.unit.map(|unit| flow.fact(unit, notes)),
        name: best.name.map(|name| flow.fact(name, notes)),
    }
}

/// Ways to read an entry for a person to choose from: `unit|name`.
fn candidates(text: &str, words: &Words) -> Vec<String> {
    let proved = |(unit, name): &(&str, &str)| words.is_unit(unit) || words.name(name).is_some();
    let splits = text.char_indices().map(|(at, _)| text.split_at(at));
    let mut ways: Vec<_> =
        splits.filter(proved).take(5).map(|(unit, name)| format!("{unit}|{name}")).collect();
    ways.push(format!("{text}|"));
    ways.dedup();
    ways
}
