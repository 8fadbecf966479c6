//! Page sizes and page tokens. A token is sealed, belongs to one query, and carries no authority.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiyao_fault::{Fault, Reason, Result};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::error::Unspecified;
use ring::hmac;
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

/// The key of a service's page tokens: whoever has a token sees nothing of what lies in it, and can make no other.
pub struct Seal {
    key: LessSafeKey,
    /// The key of nonces: the same place of the same query has the same token, so nothing random is needed.
    nonces: hmac::Key,
}

impl Seal {
    /// The seal of a secret key.
    ///
    /// # Errors
    /// None that a key of this length has.
    pub fn new(key: &[u8; 32]) -> Result<Self> {
        let part = |name: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), name);
        let key = UnboundKey::new(&CHACHA20_POLY1305, part(b"seal").as_ref()).map_err(failed)?;
        let nonces = hmac::Key::new(hmac::HMAC_SHA256, part(b"nonces").as_ref());
        Ok(Self { key: LessSafeKey::new(key), nonces })
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

fn failed(_: Unspecified) -> Fault {
    Fault::internal("a page token cannot be sealed")
}

/// What a page token belongs to: method and filters of the query.
#[derive(Clone, Debug)]
pub struct PageQuery {
    seal: Arc<Seal>,
    digest: [u8; 32],
}

impl PageQuery {
    /// The query made of these parts, of a service with this seal.
    #[must_use]
    pub fn new(seal: Arc<Seal>, parts: &[&str]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        Self { seal, digest: hasher.finalize().into() }
    }

    /// A token to go on after a key; empty where nothing comes behind.
    ///
    /// # Errors
    /// `INTERNAL` where it cannot be sealed, which a key of a list is too short for.
    pub fn token(&self, after: Option<impl AsRef<[u8]>>) -> Result<String> {
        let Some(after) = after else { return Ok(String::new()) };
        let (mut sealed, bound) = (after.as_ref().to_vec(), Aad::from(&self.digest));
        let derived = hmac::sign(&self.seal.nonces, &[&self.digest[..], &sealed].concat());
        let nonce: [u8; NONCE_LEN] = *derived.as_ref().first_chunk().ok_or_else(|| failed(Unspecified))?;
        let unique = Nonce::assume_unique_for_key(nonce);
        self.seal.key.seal_in_place_append_tag(unique, bound, &mut sealed).map_err(failed)?;
        Ok(URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat()))
    }

    /// The key to go on after; empty at the beginning.
    ///
    /// # Errors
    /// `PAGE_TOKEN_INVALID` for a token of another query or service, a changed one, or what is none.
    pub fn after(&self, token: &str) -> Result<Vec<u8>> {
        if token.is_empty() {
            return Ok(Vec::new());
        }
        self.open(token).ok_or_else(|| Fault::new(Reason::PageTokenInvalid).at("page_token"))
    }

    fn open(&self, token: &str) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = sealed.to_vec();
        let key = self.seal.key.open_in_place(nonce, Aad::from(&self.digest), &mut sealed).ok()?;
        (!key.is_empty()).then(|| key.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_serves_its_own_query_only_and_shows_nothing() {
        let seal = |key: u8| Arc::new(Seal::new(&[key; 32]).unwrap());
        let query = PageQuery::new(seal(1), &["ListMinutes", "organs/a", "2025"]);
        let token = query.token(Some(b"the place of a row")).unwrap();
        assert_eq!(query.after(&token).unwrap(), b"the place of a row");
        assert_eq!(
            (query.after("").unwrap(), query.token(None::<&[u8]>).unwrap()),
            (Vec::new(), String::new())
        );
        let shown = URL_SAFE_NO_PAD.decode(&token).unwrap();
        assert!(!shown.windows(5).any(|part| part == b"place"));
        let invalid = |query: &PageQuery, token: &str| {
            assert_eq!(query.after(token).unwrap_err().reason(), Reason::PageTokenInvalid, "{token}");
        };
        invalid(&PageQuery::new(seal(1), &["ListMinutes", "organs/a2", "025"]), &token);
        invalid(&PageQuery::new(seal(2), &["ListMinutes", "organs/a", "2025"]), &token);
        // Any byte that is changed, left out or added.
        for at in 1..shown.len() {
            let mut forged = shown.clone();
            forged[at] ^= 1;
            invalid(&query, &URL_SAFE_NO_PAD.encode(&forged));
            invalid(&query, &URL_SAFE_NO_PAD.encode(&shown[..at]));
        }
        for forged in ["!", "AAAA", &format!("{token}AA")] {
            invalid(&query, forged);
        }
    }

    #[test]
    fn sizes_are_bounded_and_negative_ones_refused() {
        assert_eq!((page_size(0).unwrap(), page_size(7).unwrap(), page_size(100_000).unwrap()), (50, 7, 200));
        assert_eq!(page_size(-1).unwrap_err().fields(), ["page_size"]);
    }
}
