use std::path::{Path, PathBuf};

use anyhow::Result;
use jiyao_names::hex;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sha2::{Digest as _, Sha256};

/// A certificate authority made for one test.
pub struct Authority {
    folder: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// Makes one; its certificate is `ca.pem` in the folder.
    ///
    /// # Errors
    /// Those of key making and of the file system.
    pub fn new(folder: &Path) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        fs_err::write(folder.join("ca.pem"), issuer.pem())?;
        Ok(Self { folder: folder.to_owned(), issuer })
    }

    /// File of the authority's certificate.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// Files of a certificate and its key for an address.
    ///
    /// # Errors
    /// Those of key making and of the file system.
    pub fn certify(&self, address: &str) -> Result<(PathBuf, PathBuf)> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec![address.to_owned()])?.signed_by(&key, &self.issuer)?;
        let file = |kind: &str| self.folder.join(format!("{address}.{kind}.pem"));
        fs_err::write(file("cert"), certificate.pem())?;
        fs_err::write(file("key"), key.serialize_pem())?;
        Ok((file("cert"), file("key")))
    }
}

/// Writes a file for its owner alone, as one that holds a token must be.
///
/// # Errors
/// Those of the file system.
pub fn secret(path: &Path, text: &str) -> Result<()> {
    let mut file = jiyao_journal::private().create(true).truncate(true).write(true).open(path)?;
    Ok(std::io::Write::write_all(&mut file, text.as_bytes())?)
}

/// A token file that can be changed.
pub struct Tokens {
    path: PathBuf,
}

impl Tokens {
    /// Writes the file from lines of token, principal and role.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn new(path: &Path, lines: &[(&str, &str, &str)]) -> Result<Self> {
        let tokens = Self { path: path.to_owned() };
        tokens.write(lines)?;
        Ok(tokens)
    }

    /// Writes it again.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write(&self, lines: &[(&str, &str, &str)]) -> Result<()> {
        let of_no_unit: Vec<_> = lines.iter().map(|(token, name, role)| (*token, *name, *role, "")).collect();
        self.write_units(&of_no_unit)
    }

    /// Writes it again from lines of token, principal, role and unit.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write_units(&self, lines: &[(&str, &str, &str, &str)]) -> Result<()> {
        let mut text = String::new();
        for (token, principal, role, unit) in lines {
            let hash = hex(&Sha256::digest(token));
            text += &format!(
                "[[token]]\nsha256 = \"{hash}\"\nprincipal = \"{principal}\"\nunit = \"{unit}\"\nroles = [\"{role}\"]\n"
            );
        }
        let mut file = jiyao_journal::private().create(true).truncate(true).write(true).open(&self.path)?;
        Ok(std::io::Write::write_all(&mut file, text.as_bytes())?)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}
