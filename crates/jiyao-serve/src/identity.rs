//! Who asks: bearer tokens from a file of their hashes, or the one principal of local mode.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiyao_fault::{Fault, Reason, Result};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;
use toml::Spanned;
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
    token: Vec<Spanned<Token>>,
}

/// Shortest text of a token in bytes: 128 bits.
const SHORTEST: usize = 16;
/// Names that services record what they do by themselves under.
const RESERVED: [&str; 4] = ["follower", "records", "attendance", "distribution"];
/// Mode bits of a token file that let others use it, or its group change it.
const EXPOSED: u32 = 0o027;

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
        let file = file.map_err(|e| format!("{}, {e}", path.display()))?;
        let tokens = Arc::new(RwLock::new(file));
        let target = Arc::clone(&tokens);
        tokio::spawn(async move {
            while stop.run_until_cancelled(tokio::time::sleep(RELOAD)).await.is_some() {
                let looked_at = path.clone();
                // By content: a file may be replaced by one of the same time.
                let Ok(found) = tokio::task::spawn_blocking(move || read(&looked_at)).await else { continue };
                let (found, looked) = match found {
                    Ok((found, looked)) => (found, looked),
                    Err(cause) => (Err(cause.clone()), Look { hash: Sha256::digest(&cause).into(), mode: 0 }),
                };
                if looked == seen {
                    continue;
                }
                seen = looked;
                match found {
                    Ok(file) => {
                        info!(tokens = file.token.len(), "the token file was read again");
                        *target.write().unwrap_or_else(PoisonError::into_inner) = file;
                    }
                    Err(cause) => {
                        error!(%cause, "the token file cannot be read; the old tokens stay in force");
                    }
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
        if token.trim().len() < SHORTEST {
            return Err(Fault::new(Reason::TokenInvalid));
        }
        // Hashes are compared, so the time taken says nothing about the token.
        let hash = jiyao_names::hex(&Sha256::digest(token.trim()));
        let tokens = tokens.read().unwrap_or_else(PoisonError::into_inner);
        tokens
            .token
            .iter()
            .map(Spanned::get_ref)
            .find(|known| known.sha256 == hash && !known.revoked)
            .map(|known| Principal {
                name: known.principal.clone(),
                unit: known.unit.clone(),
                roles: known.roles.clone(),
            })
            .ok_or_else(|| Fault::new(Reason::TokenInvalid))
    }
}

/// How a token file looked when it was read last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    hash: [u8; 32],
    mode: u32,
}

type Read = (std::result::Result<TokenFile, String>, Look);

/// Reads a token file: its tokens, or the line and what is wrong there.
fn read(path: &Path) -> std::result::Result<Read, String> {
    let text = fs_err::read_to_string(path).map_err(|e| e.to_string())?;
    let mode = fs_err::metadata(path).map_err(|e| e.to_string())?.permissions().mode() & 0o777;
    let look = Look { hash: Sha256::digest(&text).into(), mode };
    Ok((check_mode(path, mode).and_then(|()| parse(&text)), look))
}

fn check_mode(path: &Path, mode: u32) -> std::result::Result<(), String> {
    if mode & EXPOSED == 0 {
        return Ok(());
    }
    let path = path.display();
    Err(format!("mode {mode:04o}: others may use it; take that away with chmod g-w,o= {path}"))
}

/// Checks a token file.
///
/// # Errors
/// The file, the line and what is wrong there, without the line itself: somebody may have written a token there.
pub(crate) fn check_token_file(path: &Path) -> std::result::Result<(), String> {
    let (tokens, _) = read(path)?;
    tokens.map(drop).map_err(|e| format!("{}, {e}", path.display()))
}

/// Checks the text of a token file.
///
/// # Errors
/// The line and what is wrong there, without the line itself.
pub fn check_tokens(text: &str) -> std::result::Result<(), String> {
    parse(text).map(drop)
}

/// Reads the token that this service shows to another.
///
/// # Errors
/// Those of reading; a file that others may use; a token that is too short.
pub(crate) fn read_token(path: &Path) -> std::result::Result<String, String> {
    let text = fs_err::read_to_string(path).map_err(|e| e.to_string())?;
    let mode = fs_err::metadata(path).map_err(|e| e.to_string())?.permissions().mode() & 0o777;
    check_mode(path, mode)?;
    let token = text.trim();
    if token.len() < SHORTEST {
        return Err(format!("a token has at least {SHORTEST} bytes, this one has {}", token.len()));
    }
    Ok(token.to_owned())
}

fn parse(text: &str) -> std::result::Result<TokenFile, String> {
    let line_of = |at: usize| text[..at.min(text.len())].matches('\n').count() + 1;
    let file: TokenFile = toml::from_str(text)
        .map_err(|e| format!("line {}: {}", e.span().map_or(0, |span| line_of(span.start)), e.message()))?;
    let mut lines = HashMap::new();
    for token in &file.token {
        let line = line_of(token.span().start);
        check(token.get_ref()).map_err(|e| format!("line {line}: {e}"))?;
        if let Some(first) = lines.insert(&token.get_ref().sha256, line) {
            return Err(format!("line {line}: the token of line {first} again"));
        }
    }
    Ok(file)
}

/// Whether a character does not show, or turns the text round it: two names that look the same would be two.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The rules of a token. An absence never means all.
fn check(token: &Token) -> std::result::Result<(), String> {
    let Token { sha256, principal, unit, roles, .. } = token;
    let hash = jiyao_names::unhex(sha256).ok_or("sha256 is not 64 hexadecimal digits")?;
    if hash == <[u8; 32]>::from(Sha256::digest("")) {
        return Err("sha256 is that of the empty text".to_owned());
    }
    if principal.trim().is_empty() {
        return Err("principal is empty".to_owned());
    }
    if RESERVED.contains(&principal.to_lowercase().as_str()) {
        return Err(format!("principal {principal} is a name that services use for themselves"));
    }
    if roles.is_empty() {
        return Err("roles is empty".to_owned());
    }
    if roles.contains(&Role::Unit) && unit.trim().is_empty() {
        return Err("role unit needs the unit that it acts for".to_owned());
    }
    if [principal, unit].iter().any(|name| name.chars().any(is_hidden) || name.trim() != name.as_str()) {
        return Err(
            "principal and unit take no control or hidden characters, nor blanks at their ends".to_owned()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn tokens_are_known_by_their_hash_until_they_are_revoked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        let line = |revoked| {
            let hash = jiyao_names::hex(&Sha256::digest("a secret of a test"));
            format!(
                "[[token]]\nsha256 = \"{hash}\"\nprincipal = \"chen\"\nroles = [\"clerk\"]\nrevoked = {revoked}\n"
            )
        };
        let put = |text: &str| {
            // As a deployment tool does it: another file takes the name, with the time of the one before.
            let (new, old) = (path.with_extension("new"), fs_err::metadata(&path));
            let mut file =
                jiyao_journal::private().create(true).truncate(true).write(true).open(&new).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            if let Ok(old) = old {
                file.set_modified(old.modified().unwrap()).unwrap();
            }
            fs_err::rename(new, &path).unwrap();
        };
        put(&line(false));
        let stop = CancellationToken::new();
        let identities = Identities::from_file(path.clone(), stop.clone()).unwrap();
        let reason = |header: Option<&'static str>| {
            identities.identify(|_| header).map(|p| p.name).map_err(|fault| fault.reason())
        };
        assert_eq!(reason(Some("Bearer a secret of a test")), Ok("chen".to_owned()));
        assert_eq!(reason(Some("Bearer another secret of a test")), Err(Reason::TokenInvalid));
        assert_eq!(reason(Some("Basic secret")), Err(Reason::TokenMissing));
        assert_eq!(reason(None), Err(Reason::TokenMissing));

        let until = async |wanted: std::result::Result<String, Reason>| {
            for _ in 0..200 {
                if reason(Some("Bearer a secret of a test")) == wanted {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            panic!("never became {wanted:?}");
        };
        put(&line(true));
        until(Err(Reason::TokenInvalid)).await;
        put(&line(false));
        until(Ok("chen".to_owned())).await;
        put("rubbish");
        tokio::time::sleep(RELOAD * 2).await;
        until(Ok("chen".to_owned())).await;
        stop.cancel();
        let refused = Identities::from_file(path, CancellationToken::new()).unwrap_err();
        assert!(refused.contains("tokens.toml"), "{refused}");
    }

    #[test]
    fn whatever_could_stand_for_all_is_refused_with_its_line() {
        let line = |hash: &str, principal: &str, unit: &str, roles: &str| {
            format!(
                "[[token]]\nsha256 = \"{hash}\"\nprincipal = \"{principal}\"\nunit = \"{unit}\"\nroles = [{roles}]\n"
            )
        };
        let hash = |text: &str| jiyao_names::hex(&Sha256::digest(text));
        let (one, other) = (hash("one"), hash("other"));
        let sound = line(&one, "chen", "", "\"clerk\"");
        assert_eq!(check_tokens(&sound), Ok(()));
        for (second, words) in [
            (line(&other, "zhou", "", "\"unit\""), "needs the unit"),
            (line(&other, "zhou", " ", "\"clerk\", \"unit\""), "needs the unit"),
            (line(&other, "", "", "\"clerk\""), "principal is empty"),
            (line(&other, " ", "", "\"clerk\""), "principal is empty"),
            (line(&other, "follower", "", "\"clerk\""), "for themselves"),
            (line(&other, "a\\u001b[0m", "", "\"clerk\""), "hidden characters"),
            (line(&other, "Follower", "", "\"clerk\""), "for themselves"),
            (line(&other, "chen ", "", "\"clerk\""), "blanks at their ends"),
            (line(&other, "zhou", "", ""), "roles is empty"),
            (line(&one, "zhou", "", "\"clerk\""), "the token of line 1 again"),
            (line(&hash(""), "zhou", "", "\"clerk\""), "empty text"),
            (line("ab", "zhou", "", "\"clerk\""), "64 hexadecimal digits"),
            (line(&other, "zhou", "", "\"king\""), "unknown variant"),
        ] {
            let refused = check_tokens(&format!("{sound}\n{second}")).unwrap_err();
            assert!(refused.contains(words), "{refused}");
            assert!(refused.starts_with("line 7: ") || refused.starts_with("line 11: "), "{refused}");
        }
    }

    #[tokio::test]
    async fn a_token_file_that_others_may_use_and_a_short_token_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        let short = jiyao_names::hex(&Sha256::digest("fifteen bytes.."));
        fs_err::write(
            &path,
            format!("[[token]]\nsha256 = \"{short}\"\nprincipal = \"chen\"\nroles = [\"clerk\"]\n"),
        )
        .unwrap();
        for (mode, is_taken) in [(0o600, true), (0o440, true), (0o644, false), (0o620, false), (0o606, false)]
        {
            fs_err::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            assert_eq!(check_token_file(&path).is_ok(), is_taken, "{mode:o}");
        }
        fs_err::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        let identities = Identities::from_file(path, CancellationToken::new()).unwrap();
        let refused = identities.identify(|_| Some("Bearer fifteen bytes..")).unwrap_err();
        assert_eq!(refused.reason(), Reason::TokenInvalid);
    }
}
