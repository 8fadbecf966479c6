//! Secret keys of a service: made at the first start, readable by its own user alone.

use std::path::Path;

/// 32 secret bytes in a file of a folder, made where it is not there.
///
/// # Errors
/// A file that cannot be read or made, or that holds something else: it is never replaced.
pub fn secret(folder: &Path, name: &str) -> std::io::Result<[u8; 32]> {
    let path = folder.join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => jiyao_names::unhex(text.trim()).ok_or_else(|| {
            let what = format!("{}: it is not 64 hexadecimal digits", path.display());
            std::io::Error::new(std::io::ErrorKind::InvalidData, what)
        }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let mut seed = [0; 32];
            getrandom::fill(&mut seed).map_err(std::io::Error::other)?;
            jiyao_journal::make_private(&path, format!("{}\n", jiyao_names::hex(&seed)).as_bytes())?;
            Ok(seed)
        }
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let made = secret(folder.path(), "receipt.key").unwrap();
        assert_eq!(secret(folder.path(), "receipt.key").unwrap(), made);
        let path = folder.path().join("receipt.key");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, "no key").unwrap();
        assert!(secret(folder.path(), "receipt.key").is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "no key");
    }
}
