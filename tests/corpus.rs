//! Real minutes, where they lie beside the project. They are measured, never copied.

use std::path::Path;

use anyhow::Result;
use jiyao_reader::{Words, iso_date, printed, printed_ordinal, read};
use jiyao_testkit::corpus;
use serde_json::Value;

/// Whether the facts found are exactly the expected ones.
pub(crate) fn is_exact(folder: &Path) -> Result<bool> {
    let text = fs_err::read_to_string(folder.join("minutes.txt"))?;
    let expected: Value = serde_json::from_slice(&fs_err::read(folder.join("facts.json"))?)?;
    Ok(serde_json::to_value(read(&text, &Words::default()).facts)? == expected)
}

#[test]
fn every_real_text_is_lossless_and_every_fact_is_where_it_says() -> Result<()> {
    for folder in corpus() {
        let text = fs_err::read_to_string(folder.join("minutes.txt"))?;
        let reading = read(&text, &Words::default());
        let leaves: String = reading.tree.leaves().iter().map(|leaf| leaf.span.of(&text)).collect();
        assert_eq!(leaves, text, "{}", folder.display());
        for (kind, fact) in reading.facts.all() {
            let printed = printed(&text, &fact.spans, &reading.repairs);
            let ordinal = printed_ordinal(&printed).map(|ordinal| ordinal.to_string());
            let says = [Some(printed.clone()), iso_date(&printed), ordinal];
            assert!(says.contains(&Some(fact.value.clone())), "{}: {kind} {printed:?}", folder.display());
        }
    }
    Ok(())
}

#[test]
fn a_real_text_in_the_form_of_the_sample_is_read_exactly() -> Result<()> {
    let folders = corpus();
    if folders.is_empty() {
        println!("SKIPPED real minutes: the corpus is not beside the project");
        return Ok(());
    }
    let mut exact = Vec::new();
    for folder in &folders {
        if is_exact(folder)? {
            exact.push(folder.file_name().unwrap_or_default().to_owned());
        }
    }
    println!("read exactly: {} of {}: {exact:?}", exact.len(), folders.len());
    assert!(!exact.is_empty());
    Ok(())
}
