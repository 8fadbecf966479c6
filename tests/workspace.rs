//! What the texts of the project say of the project.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use jiyao_client::{DeliveryState, Stage, State};
use jiyao_reader::DoubtCode;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn the_code_map_names_exactly_the_crates_that_exist() -> Result<()> {
    let text = fs_err::read_to_string(root().join("crates/README.md"))?;
    let mut exist = BTreeSet::new();
    for entry in fs_err::read_dir(root().join("crates"))? {
        let entry = entry?;
        if entry.path().is_dir() {
            exist.insert(entry.file_name().to_string_lossy().into_owned());
        }
    }
    let rows = text.lines().filter(|line| line.starts_with('|'));
    let named: BTreeSet<String> = rows
        .flat_map(|row| row.split('`').skip(1).step_by(2))
        .filter(|word| word.starts_with("jiyao-") || *word == "xtask")
        .filter(|word| {
            let elsewhere =
                ["jiyao-records", "jiyao-attendance", "jiyao-distribution", "jiyao-tests", "jiyao-fuzz"];
            !elsewhere.contains(word)
        })
        .map(str::to_owned)
        .collect();
    assert_eq!(named, exist);
    Ok(())
}

#[test]
fn links_between_the_texts_lead_somewhere() -> Result<()> {
    let texts = [
        "README.md",
        "README.zh-CN.md",
        "CHANGELOG.md",
        "crates/README.md",
        "proto/README.md",
        "services/README.md",
        "tests/README.md",
    ];
    for text in texts {
        let path = root().join(text);
        let content = fs_err::read_to_string(&path)?;
        for target in content.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if !target.starts_with("http") && !target.starts_with('#') {
                let file =
                    path.parent().unwrap_or(Path::new(".")).join(target.split('#').next().unwrap_or(target));
                assert!(file.exists(), "{text} links to {target}");
            }
        }
    }
    Ok(())
}

#[test]
fn both_readmes_give_the_same_commands() -> Result<()> {
    let commands = |name: &str| -> Result<Vec<String>> {
        let text = fs_err::read_to_string(root().join(name))?;
        let is_command = |line: &&str| ["cargo ", "jiyao "].iter().any(|program| line.contains(program));
        let blocks = text.split("```").skip(1).step_by(2);
        let in_blocks = blocks
            .filter_map(|block| block.strip_prefix("sh\n").or(block.strip_prefix("console\n")))
            .flat_map(str::lines);
        // What stands behind a command is in the language of the text.
        let bare = |line: &str| line.split(" #").next().unwrap_or_default().trim_end().to_owned();
        Ok(in_blocks.filter(|line| !line.starts_with('#')).filter(is_command).map(bare).collect())
    };
    let english = commands("README.md")?;
    assert_eq!(english[..2], ["cargo run -p jiyao-cli -- demo --once", "cargo test --workspace"]);
    assert_eq!(commands("README.zh-CN.md")?, english);
    Ok(())
}

/// Texts in double quotes of a Rust source.
fn literals(source: &str) -> impl Iterator<Item = &str> {
    source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split('"').skip(1).step_by(2))
}

/// Every word that the command says by its id stands in the catalogues; so do those whose ids are made of a code, for each
/// code that there is.
#[test]
fn every_id_that_the_command_says_has_words() -> Result<()> {
    let has_words =
        |id: &str| jiyao_phrases::Lang::ALL.iter().all(|lang| jiyao_phrases::say(*lang, id, &[]) != id);
    let catalogue = fs_err::read_to_string(root().join("crates/jiyao-phrases/locales/en.ftl"))?;
    let first = |id: &str| id.split('-').next().unwrap_or_default().to_owned();
    let ids = || catalogue.lines().filter_map(|line| line.split_once(" = ")).map(|(id, _)| id);
    let kinds: BTreeSet<String> = ids().filter(|id| id.contains('-')).map(first).collect();
    let is_id = |text: &&str| {
        let letters = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        text.contains('-')
            && !text.ends_with('-')
            && text.chars().all(letters)
            && kinds.contains(&first(text))
    };
    let mut missing = BTreeSet::new();
    let mut said = 0;
    for folder in ["crates/jiyao-cli/src", "crates/jiyao-client/src"] {
        for entry in fs_err::read_dir(root().join(folder))? {
            let source = fs_err::read_to_string(entry?.path())?;
            for id in literals(&source).filter(is_id) {
                said += 1;
                if !has_words(id) {
                    missing.insert(id.to_owned());
                }
            }
        }
    }
    assert!(said > 150, "{said} ids were found");
    let codes: [(&str, &str, &str); 6] = [
        ("step", "jiyao-minutes/src/life.rs", "Self::Submit { .. } =>"),
        ("act", "jiyao-matters/src/act.rs", "pub fn name(&self)"),
        ("finding", "jiyao-matters/src/rules.rs", "Self::NoticeLate =>"),
        ("row", "jiyao-rolls/src/rows.rs", "Self::NameTaken =>"),
        ("roll", "jiyao-rolls/src/check.rs", "Self::PersonAmbiguous =>"),
        ("clock", "jiyao-ledger/src/clock.rs", "Self::BehindLastRecord =>"),
    ];
    for (kind, file, within) in codes {
        let source = fs_err::read_to_string(root().join("crates").join(file))?;
        let at = source.find(within).with_context(|| format!("{file} has no {within}"))?;
        let begin = source[..at].rfind("match self").unwrap_or(at);
        let end = begin + source[begin..].find("\n    }\n").unwrap_or(source.len() - begin);
        let is_code = |text: &&str| text.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        let found: Vec<String> =
            literals(&source[begin..end]).filter(is_code).map(|code| format!("{kind}-{code}")).collect();
        assert!(!found.is_empty(), "{file} has no codes at {within}");
        missing.extend(found.into_iter().filter(|id| !has_words(id)));
    }
    let made = [
        Stage::ALL.map(|stage| format!("stage-{}", stage.as_str())).to_vec(),
        State::ALL.map(|state| format!("state-{}", state.as_str())).to_vec(),
        DeliveryState::ALL.map(|state| format!("delivery-{}", state.as_str())).to_vec(),
        DoubtCode::ALL.map(|code| format!("doubt-{}", code.as_str())).to_vec(),
    ];
    missing.extend(made.into_iter().flatten().filter(|id| !has_words(id)));
    assert_eq!(missing, BTreeSet::new());
    Ok(())
}
