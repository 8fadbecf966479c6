//! How well minutes are read: real ones, where they lie beside the project (measured, never copied), and written ones.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use jiyao_reader::{Placed, Words, iso_date, printed, printed_ordinal, read};
use jiyao_testkit::{Dice, DoubtScore, GROUPS, Score, binary, compare, corpus, set_in_lines, written};
use serde_json::Value;

fn expected(folder: &Path) -> Result<Value> {
    Ok(serde_json::from_slice(&fs_err::read(folder.join("facts.json"))?)?)
}

/// Whether the facts found are exactly the expected ones.
pub(crate) fn is_exact(folder: &Path) -> Result<bool> {
    let text = fs_err::read_to_string(folder.join("minutes.txt"))?;
    Ok(serde_json::to_value(read(&text, &Words::default()).facts)? == expected(folder)?)
}

/// What must hold for any text: nothing is lost, and every fact is printed where it says.
fn check_lossless(text: &str, words: &Words, what: &str) {
    let reading = read(text, words);
    let leaves: String = reading.tree.leaves().iter().map(|leaf| leaf.span.of(text)).collect();
    assert!(leaves == text, "{what}: the leaves are not the text\n{text}");
    for Placed { kind, fact, .. } in reading.facts.all() {
        let printed = printed(text, &fact.spans, &reading.repairs);
        let ordinal = printed_ordinal(&printed).map(|ordinal| ordinal.to_string());
        let says = [Some(printed.clone()), iso_date(&printed), ordinal];
        assert!(
            says.contains(&Some(fact.value.to_string())),
            "{what}: {kind} {:?} is printed {printed:?}\n{text}",
            fact.value
        );
    }
}

#[test]
fn every_real_text_is_lossless_and_every_fact_is_where_it_says() -> Result<()> {
    for folder in corpus() {
        let text = fs_err::read_to_string(folder.join("minutes.txt"))?;
        check_lossless(&text, &Words::default(), &folder.display().to_string());
    }
    Ok(())
}

/// Rounds of mutations; `JIYAO_MUTATE_SECONDS` goes on for a time instead.
const ROUNDS: u64 = 2000;

#[test]
fn any_mutation_of_a_real_text_is_lossless() -> Result<()> {
    let mut texts = vec![jiyao_testkit::SAMPLE.to_owned()];
    for folder in corpus() {
        texts.push(fs_err::read_to_string(folder.join("minutes.txt"))?);
    }
    let pieces = [
        "一、",
        "（二）",
        "《",
        "》",
        "。",
        "，",
        "\n",
        "\n\n",
        " ",
        "　",
        "：",
        "、",
        "出席：",
        "列席",
        "请假",
        "记录：",
        "同意",
        "原则同意",
        "由",
        "牵头",
        "负责",
        "会同",
        "报市委审议",
        "印发",
        "2025年4月1日",
        "5月2日",
        "第",
        "次",
        "届",
        "整理",
        "分送：",
        "议题一",
        "会议",
        "（",
        "）",
        "\u{0}",
        "\u{200b}",
        "𠮷",
        "é",
        "🙂",
        "〔2025〕9号",
        "主持",
        "１２",
        "会議紀錄",
        "\r\n",
        "— 3 —",
        "长",
        "局",
    ];
    let seconds: u64 = std::env::var("JIYAO_MUTATE_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(0);
    let begin = std::time::Instant::now();
    let (mut dice, words) = (Dice::new("mutations"), Words::default());
    let mut round = 0;
    while if seconds > 0 { begin.elapsed().as_secs() < seconds } else { round < ROUNDS } {
        round += 1;
        let mut chars: Vec<char> = texts[dice.below(texts.len() as u64) as usize].chars().collect();
        for _ in 0..1 + dice.below(12) {
            let at = dice.below(chars.len() as u64 + 1) as usize;
            let to = (at + dice.below(60) as usize).min(chars.len());
            match dice.below(4) {
                0 => drop(chars.drain(at..to)),
                1 => {
                    let copy: Vec<char> = chars[at..to].to_vec();
                    let there = dice.below(chars.len() as u64 + 1) as usize;
                    chars.splice(there..there, copy);
                }
                _ => {
                    let piece = pieces[dice.below(pieces.len() as u64) as usize];
                    chars.splice(at..at, piece.chars());
                }
            }
        }
        check_lossless(&chars.into_iter().collect::<String>(), &words, &format!("round {round}"));
    }
    println!("{round} mutations of {} texts", texts.len());
    Ok(())
}

/// What `jiyao read` prints of a file with this option.
fn printed_by_jiyao(option: &str, file: &Path) -> Result<Value> {
    let program = binary("jiyao-cli", "jiyao", None)?;
    let output = Command::new(program).args(["read", option]).arg(file).output()?;
    serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// What the doubts of `--json` quote.
fn doubted(json: &Value) -> Vec<String> {
    let text = json["text"].as_str().unwrap_or_default();
    let doubts = json["doubts"].as_array().cloned().unwrap_or_default();
    let quoted = |doubt: &Value| {
        let spans = doubt["spans"].as_array().cloned().unwrap_or_default();
        let place = |span: &Value, key: &str| span[key].as_u64().unwrap_or(0) as usize;
        let under = spans
            .iter()
            .map(|span| text.get(place(span, "start")..place(span, "end")).unwrap_or_default().to_owned())
            .collect::<Vec<_>>();
        let candidates = doubt["candidates"].as_array().cloned().unwrap_or_default();
        under
            .into_iter()
            .chain(candidates.iter().filter_map(|c| c.as_str().map(str::to_owned)))
            .collect::<Vec<_>>()
    };
    doubts.iter().flat_map(quoted).collect()
}

#[test]
fn real_minutes_of_any_office_are_read_and_doubts_sit_where_they_belong() -> Result<()> {
    let folders = corpus();
    if folders.is_empty() {
        println!("SKIPPED real minutes: the corpus is not beside the project");
        return Ok(());
    }
    let (mut all, mut doubts) = (Score::default(), DoubtScore::default());
    for folder in &folders {
        let file = folder.join("minutes.txt");
        let (expected, found) = (expected(folder)?, printed_by_jiyao("--facts", &file)?);
        let mut score = Score::default();
        score.add(&expected, &found);
        all.add(&expected, &found);
        doubts.add(&expected, &found, &doubted(&printed_by_jiyao("--json", &file)?));
        println!("{}\n{score}", folder.file_name().unwrap_or_default().display());
    }
    println!("all texts\n{all}\n{doubts}");
    for group in GROUPS {
        assert!(all.f1(group) >= if group == "all" { 0.95 } else { 0.90 }, "{group}: {}", all.f1(group));
    }
    assert!(doubts.silent() <= 0.01 && doubts.needless() <= 0.10 && doubts.caught() >= 0.70, "{doubts:?}");
    Ok(())
}

#[test]
fn written_minutes_are_read_as_they_were_meant() -> Result<()> {
    let mut dice = Dice::new("written minutes");
    let words = Words::default();
    for n in 0..10_000 {
        let written = written(&mut dice);
        let expected = serde_json::to_value(&written.facts)?;
        for text in [written.text.clone(), set_in_lines(&written.text, 28, 22)] {
            let found = serde_json::to_value(read(&text, &words).facts)?;
            let (_, missed, extra) = compare(&expected, &found);
            assert!(
                missed.is_empty() && extra.is_empty(),
                "{n}: missed {missed:?}, extra {extra:?} in\n{text}"
            );
        }
    }
    Ok(())
}

#[test]
fn forms_of_other_offices_are_read_as_a_careful_reader_would() -> Result<()> {
    let mut forms = 0;
    for folder in fs_err::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("forms"))? {
        let folder = folder?.path();
        let text = fs_err::read_to_string(folder.join("minutes.txt"))?;
        let found = serde_json::to_value(read(&text, &Words::default()).facts)?;
        let (_, missed, extra) = compare(&expected(&folder)?, &found);
        assert!(
            missed.is_empty() && extra.is_empty(),
            "{}: missed {missed:?}, extra {extra:?}",
            folder.display()
        );
        check_lossless(&text, &Words::default(), &folder.display().to_string());
        forms += 1;
    }
    assert_eq!(forms, 7);
    Ok(())
}
