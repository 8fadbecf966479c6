//! Foreign bytes to text. Today: UTF-8 with or without a byte order mark.

use jiyao_fault::{Fault, Reason, Result};

/// The largest text that is read, in bytes: minutes are some tens of kilobytes.
pub const TEXT_LIMIT: usize = 1 << 20;

/// The text of a file. A byte order mark stays part of it, so that text and bytes are one and the same.
///
/// # Errors
/// `SOURCE_EMPTY` for no bytes or only blanks, `SOURCE_TOO_LARGE` over [`TEXT_LIMIT`], `SOURCE_UNDECODABLE` with the
/// offset of the first bad byte. `field` is the request's field to blame.
pub fn text<'b>(bytes: &'b [u8], field: &str) -> Result<&'b str> {
    if bytes.len() > TEXT_LIMIT {
        return Err(too_large(TEXT_LIMIT, field));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|e| Fault::new(Reason::SourceUndecodable).at(field).with("offset", e.valid_up_to()))?;
    if text.trim_start_matches('\u{feff}').trim().is_empty() {
        return Err(Fault::new(Reason::SourceEmpty).at(field));
    }
    Ok(text)
}

/// The refusal of a source over `limit` bytes.
#[must_use]
pub fn too_large(limit: usize, field: &str) -> Fault {
    Fault::new(Reason::SourceTooLarge).at(field).with("limit", limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_say_why() {
        assert_eq!(text(b"", "f").unwrap_err().reason(), Reason::SourceEmpty);
        assert_eq!(text("\u{feff} \n\u{3000}".as_bytes(), "f").unwrap_err().reason(), Reason::SourceEmpty);
        assert_eq!(text(b"ab\xff", "f").unwrap_err().metadata()["offset"], "2");
        assert_eq!(text(&vec![b'a'; TEXT_LIMIT + 1], "f").unwrap_err().reason(), Reason::SourceTooLarge);
        assert_eq!(text("纪要".as_bytes(), "f").unwrap(), "纪要");
    }
}
