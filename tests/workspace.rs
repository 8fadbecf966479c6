//! What the texts of the project say of the project.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;

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
    assert_eq!(english[..2], ["cargo run --release -p jiyao-cli -- demo", "cargo test --workspace"]);
    assert_eq!(commands("README.zh-CN.md")?, english);
    Ok(())
}
