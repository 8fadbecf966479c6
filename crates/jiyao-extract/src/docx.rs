//! The text of a Word document: its paragraphs, one a line. Runs in the child.

use std::io::{Cursor, Read as _};

use quick_xml::Reader;
use quick_xml::events::Event;
use zip::ZipArchive;

/// Largest document part when unpacked.
const UNPACKED: u64 = 64 << 20;

/// The text of a Word document, in this process. [`crate::Extractor`] has a child do it, for what it takes of memory.
///
/// # Errors
/// Why there is none, in words.
pub fn text(bytes: &[u8]) -> Result<String, String> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| e.to_string())?;
    let part =
        archive.by_name("word/document.xml").map_err(|_| "it is an archive, but not a Word document")?;
    let mut xml = Vec::new();
    part.take(UNPACKED + 1).read_to_end(&mut xml).map_err(|e| e.to_string())?;
    if xml.len() as u64 > UNPACKED {
        return Err("it unpacks to more than 64 MiB".to_owned());
    }
    paragraphs(&xml)
}

fn paragraphs(xml: &[u8]) -> Result<String, String> {
    let mut reader = Reader::from_reader(xml);
    let (mut out, mut in_text, mut in_fallback) = (String::new(), false, 0_usize);
    loop {
        match reader.read_event().map_err(|e| e.to_string())? {
            Event::Eof => return Ok(out),
            Event::Start(start) => match start.local_name().as_ref() {
                "t" => in_text = true,
                // The same text box a second time, for old programs.
                "Fallback" => in_fallback += 1,
                _ => {}
            },
            Event::Empty(empty) if in_fallback == 0 => match empty.local_name().as_ref() {
                "br" | "cr" => out.push('\n'),
                "tab" => out.push(' '),
                _ => {}
            },
            Event::End(end) => match end.local_name().as_ref() {
                "t" => in_text = false,
                "p" if in_fallback == 0 => out.push('\n'),
                "Fallback" => in_fallback = in_fallback.saturating_sub(1),
                _ => {}
            },
            Event::Text(text) if in_text && in_fallback == 0 => {
                out.push_str(&text);
            }
            Event::CData(text) if in_text && in_fallback == 0 => {
                out.push_str(&text);
            }
            Event::GeneralRef(reference) if in_text && in_fallback == 0 => {
                match reference.resolve_char_ref().map_err(|e| e.to_string())? {
                    Some(c) => out.push(c),
                    None => out.push_str(
                        quick_xml::escape::resolve_predefined_entity(&reference).unwrap_or_default(),
                    ),
                }
            }
            _ => {}
        }
    }
}
