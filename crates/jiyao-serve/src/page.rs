//! Page sizes and page tokens. A token is opaque, belongs to one query, and carries no authority.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiyao_fault::{Fault, Reason, Result};
use sha2::{Digest as _, Sha256};

const DEFAULT_SIZE: usize = 50;
const LARGEST_SIZE: usize = 200;

/// The size of a page: 0 is 50, more than 200 is 200.
///
/// # Errors
/// `FIELD_INVALID` for a negative one.
pub fn page_size(asked: i32) -> Result<usize> {
    match usize::try_from(asked) {
        Ok(0) => Ok(DEFAULT_SIZE),
        Ok(size) => Ok(size.min(LARGEST_SIZE)),
        Err(_) => Err(Fault::invalid("page_size", asked)),
    }
}

/// What a page token belongs to: method and filters of the query.
#[derive(Clone, Debug)]
pub struct PageQuery([u8; 8]);

impl PageQuery {
    /// The query made of these parts.
    #[must_use]
    pub fn of(parts: &[&str]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        let digest: [u8; 32] = hasher.finalize().into();
        Self(*digest.first_chunk().unwrap_or(&[0; 8]))
    }

    /// A token to go on after a key.
    #[must_use]
    pub fn token(&self, after: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode([&self.0, after].concat())
    }

    /// The key to go on after; empty at the beginning.
    ///
    /// # Errors
    /// `PAGE_TOKEN_INVALID` for a token of another query, or what is none.
    pub fn after(&self, token: &str) -> Result<Vec<u8>> {
        if token.is_empty() {
            return Ok(Vec::new());
        }
        let invalid = || Fault::new(Reason::PageTokenInvalid).at("page_token");
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| invalid())?;
        let key = bytes.strip_prefix(&self.0[..]).filter(|key| !key.is_empty());
        key.map(<[u8]>::to_vec).ok_or_else(invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_serves_its_own_query_only() {
        let query = PageQuery::of(&["ListMinutes", "organs/a", "2025"]);
        let token = query.token(b"key");
        assert_eq!(query.after(&token).unwrap(), b"key");
        assert_eq!(query.after("").unwrap(), b"");
        let other = PageQuery::of(&["ListMinutes", "organs/a2", "025"]);
        for wrong in [token.as_str(), "!", "AAAA"] {
            assert_eq!(other.after(wrong).unwrap_err().reason(), Reason::PageTokenInvalid);
        }
    }

    #[test]
    fn sizes_are_bounded_and_negative_ones_refused() {
        assert_eq!((page_size(0).unwrap(), page_size(7).unwrap(), page_size(100_000).unwrap()), (50, 7, 200));
        assert_eq!(page_size(-1).unwrap_err().fields(), ["page_size"]);
    }
}
