//! Who asks: bearer tokens from a file of their hashes, or the one principal of local mode.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use jiyao_fault::{Fault, Reason, Result};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

/// What a principal may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Records.
    Clerk,
    /// Reads.
    Reader,
    /// Another service of this system.
    Service,
    /// Reads everything, changes nothing.
    Auditor,
    /// Acts for a unit that must carry something out.
    Unit,
    /// Follows up (督查): notices, reviews, strikes off.
    Supervisor,
    /// Approves and decides: the 秘书长, the signers.
    Leader,
    /// Keeps the service: status, backups, verification. Reads no minutes by that.
    Operator,
    /// Whoever reaches the port, with a token or without: a table of rights alone has it, never a token.
    #[serde(skip)]
    Anyone,
}

impl Role {
    const ALL: [Self; 8] = [
        Self::Clerk,
        Self::Reader,
        Self::Service,
        Self::Auditor,
        Self::Unit,
        Self::Supervisor,
        Self::Leader,
        Self::Operator,
    ];
}

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Principal {
    /// Recorded with everything that it does.
    pub name: String,
    /// The unit that it acts for; empty: not bound to one.
    pub unit: String,
    /// What it may be.
    pub roles: Vec<Role>,
}

impl Principal {
    /// What the log calls it, for names are of persons: the first 8 hexadecimal digits of the SHA-256 of its name.
    pub(crate) fn mark(&self) -> String {
        jiyao_names::hex(&Sha256::digest(&self.name)[..4])
    }

    /// Whether one of its roles is among some.
    #[must_use]
    pub fn is_any(&self, roles: &[Role]) -> bool {
        self.roles.iter().any(|role| roles.contains(role))
    }
}

/// One line of the token file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    /// SHA-256 of the token, 64 hexadecimal digits.
    sha256: String,
    principal: String,
    /// The unit that it acts for.
    #[serde(default)]
    unit: String,
    roles: Vec<Role>,
    #[serde(default)]
    revoked: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenFile {
    #[serde(default)]
    token: Vec<Token>,
}

/// How often the token file is looked at.
const RELOAD: Duration = Duration::from_secs(1);

/// Tells who asks.
#[derive(Clone, Debug)]
pub(crate) enum Identities {
    Local(Principal),
    Tokens(Tokens),
}

/// The tokens in force.
#[derive(Clone, Debug)]
pub(crate) struct Tokens(Arc<RwLock<TokenFile>>);

impl Identities {
    pub(crate) fn local(name: &str) -> Self {
        Self::Local(Principal { name: name.to_owned(), unit: String::new(), roles: Role::ALL.to_vec() })
    }

    /// Reads the file, and again whenever it changes, until `stop`. A changed file that cannot be read leaves the old
    /// tokens in force and is an error in the log.
    pub(crate) fn from_file(path: PathBuf, stop: CancellationToken) -> std::result::Result<Self, String> {
        let (file, mut seen) = read(&path)?;
        let tokens = Arc::new(RwLock::new(file));
        let target = Arc::clone(&tokens);
        tokio::spawn(async move {
            while stop.run_until_cancelled(tokio::time::sleep(RELOAD)).await.is_some() {
                let looked_at = path.clone();
                let found = tokio::task::spawn_blocking(move || {
                    (modified(&looked_at) != seen).then(|| read(&looked_at))
                });
                match found.await {
                    Ok(Some(Ok((file, modified)))) => {
                        info!(tokens = file.token.len(), "the token file was read again");
                        *target.write().unwrap_or_else(PoisonError::into_inner) = file;
                        seen = modified;
                    }
                    Ok(Some(Err(cause))) => {
                        error!(%cause, "the token file cannot be read; the old tokens stay in force");
                    }
                    _ => {}
                }
            }
        });
        Ok(Self::Tokens(Tokens(tokens)))
    }

    /// The principal of a call, by its headers.
    pub(crate) fn identify<'h>(&self, header: impl Fn(&str) -> Option<&'h str>) -> Result<Principal> {
        let tokens = match self {
            Self::Local(principal) => {
                let said = |name| {
                    header(name).map(|value| percent_decode_str(value).decode_utf8_lossy().into_owned())
                };
                let mut principal = principal.clone();
                principal.name =
                    said(jiyao_wire::AS).filter(|name| !name.is_empty()).unwrap_or(principal.name);
                principal.unit = said(jiyao_wire::UNIT).unwrap_or_default();
                return Ok(principal);
            }
            Self::Tokens(Tokens(tokens)) => tokens,
        };
        let header = header("authorization").ok_or_else(|| Fault::new(Reason::TokenMissing))?;
        let token = header.strip_prefix("Bearer ").or_else(|| header.strip_prefix("bearer "));
        let token = token.ok_or_else(|| Fault::new(Reason::TokenMissing))?;
        // Hashes are compared, so the time taken says nothing about the token.
        let hash = jiyao_names::hex(&Sha256::digest(token.trim()));
        let tokens = tokens.read().unwrap_or_else(PoisonError::into_inner);
        tokens
            .token
            .iter()
            .find(|known| known.sha256 == hash && !known.revoked)
            .map(|known| Principal {
                name: known.principal.clone(),
                unit: known.unit.clone(),
                roles: known.roles.clone(),
            })
            .ok_or_else(|| Fault::new(Reason::TokenInvalid))
    }
}

fn modified(path: &PathBuf) -> Option<SystemTime> {
    fs_err::metadata(path).ok()?.modified().ok()
}

fn read(path: &PathBuf) -> std::result::Result<(TokenFile, Option<SystemTime>), String> {
    let seen = modified(path);
    let text = fs_err::read_to_string(path).map_err(|e| e.to_string())?;
    let file = parse(&text).map_err(|e| format!("{}, {e}", path.display()))?;
    Ok((file, seen))
}

/// Checks the text of a token file.
///
/// # Errors
/// The line and what is wrong there, without the line itself: somebody may have written a token there.
pub fn check_tokens(text: &str) -> std::result::Result<(), String> {
    parse(text).map(drop)
}

fn parse(text: &str) -> std::result::Result<TokenFile, String> {
    let file: TokenFile = toml::from_str(text).map_err(|e| {
        let line = e.span().map_or(0, |span| text[..span.start].lines().count().max(1));
        format!("line {line}: {}", e.message())
    })?;
    let other = file.token.iter().find(|token| jiyao_names::unhex(&token.sha256).is_none());
    match other {
        Some(token) => Err(format!("sha256 of {} is not 64 hexadecimal digits", token.principal)),
        None => Ok(file),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tokens_are_known_by_their_hash_until_they_are_revoked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        let line = |revoked| {
            let hash = jiyao_names::hex(&Sha256::digest("secret"));
            format!(
                "[[token]]\nsha256 = \"{hash}\"\nprincipal = \"chen\"\nroles = [\"clerk\"]\nrevoked = {revoked}\n"
            )
        };
        fs_err::write(&path, line(false)).unwrap();
        let stop = CancellationToken::new();
        let identities = Identities::from_file(path.clone(), stop.clone()).unwrap();
        let reason = |header: Option<&'static str>| {
            identities.identify(|_| header).map(|p| p.name).map_err(|fault| fault.reason())
        };
        assert_eq!(reason(Some("Bearer secret")), Ok("chen".to_owned()));
        assert_eq!(reason(Some("Bearer other")), Err(Reason::TokenInvalid));
        assert_eq!(reason(Some("Basic secret")), Err(Reason::TokenMissing));
        assert_eq!(reason(None), Err(Reason::TokenMissing));

        let until = async |wanted: std::result::Result<String, Reason>| {
            for _ in 0..200 {
                if reason(Some("Bearer secret")) == wanted {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            panic!("never became {wanted:?}");
        };
        fs_err::write(&path, line(true)).unwrap();
        until(Err(Reason::TokenInvalid)).await;
        fs_err::write(&path, line(false)).unwrap();
        until(Ok("chen".to_owned())).await;
        fs_err::write(&path, "rubbish").unwrap();
        tokio::time::sleep(RELOAD * 2).await;
        until(Ok("chen".to_owned())).await;
        stop.cancel();
        let refused = Identities::from_file(path, CancellationToken::new()).unwrap_err();
        assert!(refused.contains("tokens.toml"), "{refused}");
    }
}
