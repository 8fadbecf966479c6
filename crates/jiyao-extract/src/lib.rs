//! Foreign bytes to text: UTF-8, GB18030, web pages, Word documents and PDF files with text in them, known by their
//! content and never by their name.
//!
//! Parsers of PDF and Word files meet hostile input: they run in a child process with limits of memory and time, so
//! that such a file ends the child and not the service. The child is the program itself, started again: its `main`
//! asks [`is_child`] first and then is [`child`].

mod child;
mod docx;
mod html;
mod pdf;

use std::path::PathBuf;

use jiyao_fault::{Fault, Reason, Result};

pub use child::{child, is_child};
pub use docx::text as docx_text;

/// The largest text that is read, in bytes: minutes are some tens of kilobytes.
pub const TEXT_LIMIT: usize = 1 << 20;
/// The largest file that a text is taken out of, in bytes.
pub const FILE_LIMIT: usize = 16 << 20;

/// What a file turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Text in UTF-8, with or without a byte order mark.
    Utf8,
    /// Text in GB18030, or in GBK or GB 2312, which it holds.
    Gb18030,
    /// A web page.
    Html,
    /// A Word document (Office Open XML).
    Docx,
    /// A PDF file with text in it.
    Pdf,
}

impl Format {
    /// Its name on the wire and on paper.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Gb18030 => "GB18030",
            Self::Html => "HTML",
            Self::Docx => "DOCX",
            Self::Pdf => "PDF",
        }
    }
}

/// The text of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extracted {
    /// The text. Of UTF-8 it is the bytes themselves, a byte order mark included.
    pub text: String,
    /// What the file is.
    pub format: Format,
}

/// Takes text out of files.
#[derive(Clone, Debug)]
pub struct Extractor {
    program: PathBuf,
}

impl Extractor {
    /// Runs this program again as the child; it must ask [`is_child`] when it starts.
    ///
    /// # Errors
    /// Where the system does not say which program this is.
    pub fn this_program() -> std::io::Result<Self> {
        Ok(Self { program: std::env::current_exe()? })
    }

    /// Runs another program as the child.
    #[must_use]
    pub fn with(program: PathBuf) -> Self {
        Self { program }
    }

    /// The text of a file. Blocks: call it off the async threads. `field` is the request's field to blame.
    ///
    /// # Errors
    /// `SOURCE_EMPTY` for no bytes or only blanks, `SOURCE_TOO_LARGE` over [`FILE_LIMIT`] or with more text than
    /// [`TEXT_LIMIT`], `SOURCE_UNDECODABLE` for bytes in no known encoding, `SOURCE_NO_TEXT` for a PDF that holds
    /// only pictures, `SOURCE_UNREADABLE` for a file that its parser does not take, or not within its limits.
    pub fn extract(&self, bytes: &[u8], field: &str) -> Result<Extracted> {
        self.extract_while(bytes, field, &|| true)
    }

    /// The text of a file, as long as it is wanted: a child that reads it is ended within milliseconds of that.
    ///
    /// # Errors
    /// As [`Extractor::extract`]; `SOURCE_UNREADABLE` where it was not wanted any more.
    pub fn extract_while(
        &self,
        bytes: &[u8],
        field: &str,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<Extracted> {
        if bytes.len() > FILE_LIMIT {
            return Err(too_large(FILE_LIMIT, field));
        }
        let extracted = match binary_format(bytes) {
            Some(format) => {
                let text = child::run(&self.program, format, bytes, field, is_wanted)?;
                if text.trim().is_empty() {
                    return Err(Fault::new(Reason::SourceNoText).at(field).with("format", format.as_str()));
                }
                Extracted { text, format }
            }
            None => {
                if bytes.len() > TEXT_LIMIT && !html::is_page(bytes) {
                    return Err(too_large(TEXT_LIMIT, field));
                }
                let (text, format) = decode(bytes, field)?;
                if html::is_page(text.as_bytes()) {
                    Extracted { text: html::text(&text), format: Format::Html }
                } else {
                    Extracted { text, format }
                }
            }
        };
        if extracted.text.len() > TEXT_LIMIT {
            return Err(too_large(TEXT_LIMIT, field));
        }
        if extracted.text.trim_start_matches('\u{feff}').trim().is_empty() {
            return Err(Fault::new(Reason::SourceEmpty).at(field));
        }
        Ok(extracted)
    }
}

/// The refusal of a source over `limit` bytes.
#[must_use]
pub fn too_large(limit: usize, field: &str) -> Fault {
    Fault::new(Reason::SourceTooLarge).at(field).with("limit", limit)
}

/// A format whose bytes are no text.
fn binary_format(bytes: &[u8]) -> Option<Format> {
    let head = &bytes[..bytes.len().min(1024)];
    if head.starts_with(b"PK\x03\x04") {
        return Some(Format::Docx);
    }
    head.windows(5).any(|window| window == b"%PDF-").then_some(Format::Pdf)
}

/// Text in UTF-8, else in GB18030. `field` is the request's field to blame.
///
/// # Errors
/// `SOURCE_UNDECODABLE`, by the first bad byte, for what is neither.
pub fn decode(bytes: &[u8], field: &str) -> Result<(String, Format)> {
    let error = match std::str::from_utf8(bytes) {
        Ok(text) => return Ok((text.to_owned(), Format::Utf8)),
        Err(e) => e,
    };
    let (text, _, had_errors) = encoding_rs::GB18030.decode(bytes);
    // Almost any bytes are some text in GB18030: only one that looks like Chinese is taken for it.
    let (mut han, mut strange) = (0_usize, 0_usize);
    for c in text.chars() {
        match c {
            '\u{4e00}'..='\u{9fff}' => han += 1,
            '\u{e000}'..='\u{f8ff}' | '\u{80}'..='\u{9f}' | '\u{0}'..='\u{8}' => strange += 1,
            _ => {}
        }
    }
    if had_errors || han == 0 || strange * 50 > han {
        let offset = error.valid_up_to();
        return Err(Fault::new(Reason::SourceUndecodable).at(field).with("offset", offset));
    }
    Ok((text.into_owned(), Format::Gb18030))
}

#[cfg(test)]
mod tests;
