//! Reading a file without a service, and writing minutes from facts.

use std::collections::HashSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;
use jiyao_extract::{Extracted, Extractor};
use jiyao_proto::records::v1::ReadMinutesResponse;
use jiyao_reader::{Doubt, Facts, Node, Reading, Words};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};

use crate::words::Speaker;
use crate::{complain, print, print_data, show};

/// A file to read.
#[derive(Debug, Args)]
pub(crate) struct ReadFile {
    file: PathBuf,
    #[arg(long, group = "form")]
    facts: bool,
    #[arg(long, group = "form")]
    tree: bool,
    #[arg(long, group = "form")]
    json: bool,
    #[arg(long, value_name = "FILE")]
    units: Option<PathBuf>,
    #[arg(long, requires = "units", value_name = "N[=UNIT]")]
    confirm: Vec<String>,
}

impl ReadFile {
    pub(crate) fn run(&self, speaker: &Speaker) -> Result<()> {
        let bytes = fs_err::read(&self.file)?;
        let extracted = extract(&bytes, speaker).with_context(|| self.file.display().to_string())?;
        let mut words = Words::default();
        if let Some(units) = self.units.as_ref().filter(|units| self.confirm.is_empty() || units.exists()) {
            words.add_units(&fs_err::read_to_string(units)?);
        }
        let mut reading = jiyao_reader::read(&extracted.text, &words);
        if let Some(units) = self.units.as_ref().filter(|_| !self.confirm.is_empty()) {
            let confirmed = self.confirmed(&reading.doubts)?;
            save(units, &confirmed)?;
            words.add_units(&confirmed.join("\n"));
            reading = jiyao_reader::read(&extracted.text, &words);
        }
        if self.facts {
            print_data((serde_json::to_string_pretty(&reading.facts)? + "\n").as_bytes());
        } else if self.json {
            print_data((json(&reading, extracted)? + "\n").as_bytes());
        } else if self.tree {
            let mut out = String::new();
            tree(&reading.tree.root, &extracted.text, 0, &mut out);
            print_data(out.as_bytes());
        } else {
            print(&show::reading(&reading, &extracted, speaker));
        }
        Ok(())
    }

    /// The units that the doubts named by `--confirm` turn out to be.
    fn confirmed(&self, doubts: &[Doubt]) -> Result<Vec<String>> {
        let unit = |confirm: &String| {
            let (number, said) =
                confirm.split_once('=').map_or((confirm.as_str(), None), |(n, s)| (n, Some(s)));
            let doubt = number.parse::<usize>().ok().and_then(|number| doubts.get(number.checked_sub(1)?));
            let doubt = doubt
                .ok_or_else(|| anyhow!("--confirm {confirm}: there are doubts 1 to {}", doubts.len()))?;
            let first =
                doubt.candidates.first().map(|candidate| candidate.split('|').next().unwrap_or(candidate));
            let unit = said.or(first).unwrap_or_default().trim();
            if unit.is_empty() || unit.contains(char::is_whitespace) {
                bail!("--confirm {confirm}: say which unit it is, as {number}=UNIT");
            }
            Ok(unit.to_owned())
        };
        self.confirm.iter().map(unit).collect()
    }
}

/// Adds units to an office's file, each once.
fn save(file: &Path, units: &[String]) -> Result<()> {
    let known = if file.exists() { fs_err::read_to_string(file)? } else { String::new() };
    let mut seen: HashSet<&str> = known.split_whitespace().collect();
    let mut out = fs_err::OpenOptions::new().create(true).append(true).open(file)?;
    if !known.is_empty() && !known.ends_with('\n') {
        writeln!(out)?;
    }
    for unit in units {
        if seen.insert(unit) {
            writeln!(out, "{unit}")?;
        }
    }
    Ok(())
}

/// The text of a file.
pub(crate) fn extract(bytes: &[u8], speaker: &Speaker) -> Result<Extracted> {
    Extractor::this_program()?.extract(bytes, "FILE").map_err(|fault| speaker.refusal(&fault))
}

/// The full result as the JSON form of its message, with the text that the spans are of.
fn json(reading: &Reading, extracted: Extracted) -> Result<String> {
    let message = ReadMinutesResponse {
        facts: Some(jiyao_wire::facts_to(&reading.facts)),
        doubts: jiyao_wire::doubts_to(&reading.facts, &reading.doubts),
        repairs: reading.repairs.iter().map(jiyao_wire::repair_to).collect(),
        uncovered: reading.uncovered.iter().copied().map(jiyao_wire::span_to).collect(),
        format: extracted.format.as_str().to_owned(),
        text: extracted.text,
    };
    let pool = DescriptorPool::decode(jiyao_proto::DESCRIPTORS)?;
    let descriptor =
        pool.get_message_by_name("jiyao.records.v1.ReadMinutesResponse").context("find the message")?;
    let message = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())?;
    let mut out = Vec::new();
    let mut serializer = serde_json::Serializer::pretty(&mut out);
    message.serialize_with_options(&mut serializer, &SerializeOptions::new())?;
    Ok(String::from_utf8(out)?)
}

/// One line a node: place, kind, and for a leaf the text.
fn tree(root: &Node, text: &str, depth: usize, out: &mut String) {
    let mut open = vec![(root, depth)];
    while let Some((node, depth)) = open.pop() {
        out.push_str(&format!(
            "{:indent$}{} {}..{}",
            "",
            node.kind,
            node.span.start,
            node.span.end,
            indent = depth * 2
        ));
        if node.children.is_empty() {
            out.push_str(&format!(" {:?}", node.span.of(text)));
        }
        out.push('\n');
        open.extend(node.children.iter().rev().map(|child| (child, depth + 1)));
    }
}

/// Prints the minutes that facts say, and what would be read otherwise.
pub(crate) fn write(file: &Path, speaker: &Speaker) -> Result<bool> {
    let facts: Facts =
        serde_json::from_slice(&fs_err::read(file)?).with_context(|| file.display().to_string())?;
    let text = jiyao_reader::write(&facts);
    print_data(text.as_bytes());
    let again = jiyao_reader::read(&text, &Words::default()).facts;
    let said = |facts: &Facts| -> Vec<(String, String)> {
        facts.all().into_iter().map(|placed| (placed.path, placed.fact.value.into())).collect()
    };
    let (meant, read) = (said(&facts), said(&again));
    let otherwise: Vec<_> = meant.iter().filter(|fact| !read.contains(fact)).collect();
    for (path, value) in &otherwise {
        let arguments = [("path", path.as_str()), ("value", value.as_str())];
        complain(&(speaker.say_with("write-otherwise", &arguments) + "\n"));
    }
    Ok(otherwise.is_empty())
}
