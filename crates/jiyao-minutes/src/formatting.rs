//! Changes that a text may still undergo once it was signed (requirement 14): white space, and what registration and
//! printing fill in. Everything else is content, and goes back to its signer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiyao_calendar::Date;
use jiyao_docnum::DocumentNumber;
use jiyao_reader::{Facts, iso_date};

use crate::clauses::{compare, is_roll};

/// Facts that registration and printing fill in.
#[derive(Clone, Debug, Default)]
pub struct Filled {
    /// The number that was registered.
    pub number: Option<DocumentNumber>,
    /// 成文日期.
    pub signed: Option<Date>,
}

/// One version of minutes: its text and what was read of it.
#[derive(Clone, Copy, Debug)]
pub struct Version<'v> {
    /// The text.
    pub text: &'v str,
    /// Facts read of it, of both versions by the same reader.
    pub facts: &'v Facts,
}

/// A difference, the first that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Path of a fact, e.g. `items[0].decisions[0].outcome`, or `clause` with the clause's position from 1.
    pub what: String,
    /// As it was; empty where it is new.
    pub before: String,
    /// As it is; empty where it is gone.
    pub after: String,
}

/// How long the shortest difference is looked for: any difference is one too many.
const PATIENCE: Duration = Duration::from_millis(500);

impl Filled {
    /// Whether a line holds nothing but what is filled in later: the number, the day of the signature, an imprint.
    fn is_filled_in(&self, line: &str, imprint: &Imprint) -> bool {
        let solid = solid(line);
        let inner = solid.trim_matches(['（', '）', '(', ')']);
        let is_number = self.number.is_some() && DocumentNumber::parse(&solid) == self.number;
        let is_signed = self.signed.is_some_and(|signed| iso_date(inner) == Some(signed.to_string()));
        is_number || is_signed || imprint.is_part(&solid)
    }

    /// A text without the lines that are filled in later.
    fn without(&self, text: &str, imprint: &Imprint) -> String {
        let stays = |line: &&str| !self.is_filled_in(line, imprint);
        text.lines().filter(stays).flat_map(|line| [line, "\n"]).collect()
    }

    /// Whether a fact is filled in later, with this value.
    fn fills(&self, path: &str, after: &str, imprint: &Imprint) -> bool {
        match path {
            "document_number" => self.number.is_some() && DocumentNumber::parse(after) == self.number,
            "compiled.date" => self.signed.is_some_and(|signed| signed.to_string() == after),
            "printed.by" => imprint.is_new && imprint.offices.contains(&solid(after)),
            "printed.date" => imprint.is_new,
            _ => false,
        }
    }
}

fn solid(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// The imprint that printing adds: an office that the signed text tells of, a day, 印发, and nothing else.
struct Imprint {
    /// The signed text has none yet.
    is_new: bool,
    offices: BTreeSet<String>,
}

impl Imprint {
    /// The imprint that may come to a text of which these facts were read.
    fn of(signed: &Facts) -> Self {
        let printed = signed.printed.clone().unwrap_or_default();
        let compiler = signed.compiled.clone().and_then(|compiled| compiled.by);
        let issuer = signed.issuer.as_ref().map(|issuer| solid(&issuer.value)).unwrap_or_default();
        let mut offices: BTreeSet<String> = compiler.iter().map(|by| solid(&by.value)).collect();
        if !issuer.is_empty() {
            offices.extend(["", "办公室", "办公厅"].map(|office| format!("{issuer}{office}")));
        }
        Self { is_new: printed.by.is_none() && printed.date.is_none(), offices }
    }

    /// Whether a line without blanks is one of a new imprint.
    fn is_part(&self, line: &str) -> bool {
        let of_a_day = |rest: &str| rest.strip_suffix("印发").is_some_and(|day| iso_date(day).is_some());
        self.is_new
            && (self.offices.contains(line)
                || of_a_day(line)
                || self.offices.iter().any(|office| line.strip_prefix(office.as_str()).is_some_and(of_a_day)))
    }
}

/// The first difference between what was signed and what is to take its place, beyond white space and what is filled in.
/// None: only the setting changed.
#[must_use]
pub fn content_change(signed: Version<'_>, now: Version<'_>, filled: &Filled) -> Option<Difference> {
    let all = |facts: &Facts| -> BTreeMap<String, String> {
        facts.all().into_iter().map(|placed| (placed.path, placed.fact.value.to_string())).collect()
    };
    let (before, after) = (all(signed.facts), all(now.facts));
    let imprint = Imprint::of(signed.facts);
    for (path, was) in &before {
        let is = after.get(path).cloned();
        let is_same = is.as_ref() == Some(was);
        if !is_same && !is.as_ref().is_some_and(|is| filled.fills(path, is, &imprint)) {
            return Some(Difference {
                what: path.clone(),
                before: was.clone(),
                after: is.unwrap_or_default(),
            });
        }
    }
    for (path, is) in &after {
        if !before.contains_key(path) && !filled.fills(path, is, &imprint) {
            return Some(Difference { what: path.clone(), before: String::new(), after: is.clone() });
        }
    }
    let (before, after) = (filled.without(signed.text, &imprint), filled.without(now.text, &imprint));
    if let Some(change) = compare(&before, &after, PATIENCE).into_iter().next() {
        let what = format!("clause {}", change.old_index + 1);
        return Some(Difference { what, before: change.before, after: change.after });
    }
    // In a roll a blank may be all that parts two names.
    let rolls =
        |text: &str| -> Vec<String> { text.lines().filter(|line| is_roll(line)).map(spaced).collect() };
    let (before, after) = (rolls(&before), rolls(&after));
    let differs = (0..before.len().max(after.len())).find(|at| before.get(*at) != after.get(*at))?;
    let line = |of: &[String]| of.get(differs).cloned().unwrap_or_default();
    Some(Difference { what: "roll".to_owned(), before: line(&before), after: line(&after) })
}

/// A line with one blank wherever there are some, and none at its ends or behind its label.
fn spaced(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.join(" ").replace("： ", "：").replace(": ", ":")
}

#[cfg(test)]
mod tests {
    use jiyao_reader::{Words, read};

    use super::*;

    const TEXT: &str = "临岚市人民政府 常务会议纪要\n\n2025年4月15日下午，方知远市长主持召开市政府第42次常务会议，审议《临岚市停车办法》。\n\n\
        会议议定以下意见：\n\n一、审议《临岚市停车办法》\n\n（一）原则同意《临岚市停车办法》。由市住建局根据本次会议讨论意见作进一步修改完善后按程序印发实施。\n\n\
        出席：方知远 贺兰舟 邱明谦\n\n列席：市住建局骆青山\n\n记录：冯知秋\n\n临岚市人民政府办公室整理\n\n（此件公开发布）\n\n\
        分送：各县、区人民政府。\n";

    fn change(after: &str, filled: &Filled) -> Option<Difference> {
        let (before, now) = (read(TEXT, &Words::default()).facts, read(after, &Words::default()).facts);
        content_change(Version { text: TEXT, facts: &before }, Version { text: after, facts: &now }, filled)
    }

    fn filled() -> Filled {
        Filled {
            number: DocumentNumber::parse("临政纪〔2025〕3号"),
            signed: jiyao_calendar::parse_iso("2025-04-20"),
        }
    }

    #[test]
    fn white_space_and_what_is_filled_in_pass() {
        let lines = |text: &str| text.replace("\n\n", "\n");
        let with = |text: &str| {
            text.replacen("会议纪要\n", "会议纪要\n\n临政纪〔2025〕3号\n", 1)
                .replace("整理\n", "整理\n\n2025年4月20日\n")
                + "\n临岚市人民政府办公室\n\n2025年4月22日印发\n"
        };
        for after in [
            TEXT.to_owned(),
            lines(TEXT),
            TEXT.replace("由市住建局", "由市住建局\n"),
            TEXT.replace("审议《", "审议 《").replace("会议议定", "  会议议定"),
            with(TEXT),
            with(&lines(TEXT)),
        ] {
            assert_eq!(change(&after, &filled()), None, "{after}");
        }
        let other = with(TEXT).replace("3号", "4号");
        assert_eq!(change(&other, &filled()).unwrap().what, "document_number");
        assert!(change(&with(TEXT), &Filled::default()).is_some(), "nothing was registered");
        assert!(change(&with(TEXT).replace("4月20日", "4月19日"), &filled()).is_some());
        for grant in [
            "\n另给予某公司专项补贴5000万元，2026年3月18日印发\n",
            "\n另给予某公司专项补贴5000万元\n2026年3月18日印发\n",
            "\n某公司\n2025年4月22日印发\n",
            "\n临岚市人民政府办公室补贴某公司\n2025年4月22日印发\n",
        ] {
            assert!(change(&format!("{TEXT}{grant}"), &filled()).is_some(), "{grant}");
            assert!(change(&format!("{}{grant}", with(TEXT)), &filled()).is_some(), "{grant}");
        }
    }

    #[test]
    fn whatever_else_changes_is_named() {
        for (from, to, what) in [
            ("原则同意", "不同意", "items[0].decisions[0].outcome"),
            ("由市住建局", "由市城管局", "items[0].decisions[0].lead_units[0]"),
            ("贺兰舟 ", "", "present"),
            ("列席：市住建局骆青山", "列席：市住建局骆青山 市财政局许一鸣", "observers"),
            ("冯知秋", "冯知春", "recorders"),
            ("各县、区人民政府", "各县、区人民政府；市各有关部门和单位", "distribution"),
            ("公开发布", "不予公开", "disclosure"),
            ("4月15日下午", "4月16日下午", "meeting.date"),
            ("方知远市长主持", "贺兰舟副市长主持", "meeting.chair"),
            ("会议议定以下意见", "会议议定并拨款五千万元", "clause"),
            ("印发实施。", "印发实施，并给予补贴。", "clause"),
            ("方知远 贺兰舟", "方知远贺 兰舟", ""),
        ] {
            let after = TEXT.replace(from, to);
            assert_ne!(after, TEXT);
            let difference = change(&after, &filled()).unwrap_or_else(|| panic!("{to} passes"));
            assert!(difference.what.starts_with(what), "{difference:?}");
        }
    }

    /// Any character that is put in, taken out or changed is noticed, unless it is a blank.
    #[test]
    fn no_single_character_changes_unnoticed() {
        let signed = read(TEXT, &Words::default()).facts;
        let mut checked = 0;
        for (at, c) in TEXT.char_indices().filter(|(_, c)| !c.is_whitespace()) {
            for put in ["", "不", "未"] {
                let after = [&TEXT[..at], put, &TEXT[at + c.len_utf8()..]].concat();
                let now = read(&after, &Words::default()).facts;
                let before = Version { text: TEXT, facts: &signed };
                assert!(
                    content_change(before, Version { text: &after, facts: &now }, &filled()).is_some(),
                    "{put:?} for {c} at {at} passes"
                );
                checked += 1;
            }
        }
        assert!(checked > 500);
    }
}
