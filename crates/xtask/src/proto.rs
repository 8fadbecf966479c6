//! Generated code: protox parses `proto/`, tonic-prost-build writes `crates/jiyao-proto/src/generated/`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use prost::Message as _;

/// Package of what is only on disk: it gets messages, but no place in the descriptor set that reflection serves.
const PRIVATE: &str = "jiyao.stored.v1";

fn proto_files(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            proto_files(&path, found)?;
        } else if path.extension().is_some_and(|e| e == "proto") {
            found.push(path);
        }
    }
    found.sort();
    Ok(())
}

fn generate(root: &Path, out: &Path) -> Result<()> {
    let proto = root.join("proto");
    let mut files = Vec::new();
    proto_files(&proto, &mut files)?;
    let mut set = protox::compile(&files, [&proto]).context("parse proto/")?;
    tonic_prost_build::configure()
        .out_dir(out)
        .include_file("mod.rs")
        .emit_rerun_if_changed(false)
        .compile_fds(set.clone())
        .context("generate code")?;
    set.file.retain(|file| file.package() != PRIVATE);
    for file in &mut set.file {
        file.source_code_info = None;
    }
    fs_err::write(out.join("descriptors.bin"), set.encode_to_vec())?;
    Ok(())
}

fn folder(root: &Path) -> PathBuf {
    root.join("crates/jiyao-proto/src/generated")
}

/// Writes the generated code in place.
pub(crate) fn write(root: &Path) -> Result<()> {
    let out = folder(root);
    if out.exists() {
        fs_err::remove_dir_all(&out)?;
    }
    fs_err::create_dir_all(&out)?;
    generate(root, &out)
}

fn contents(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    fs_err::read_dir(folder)?
        .map(|entry| {
            let entry = entry?;
            Ok((entry.file_name().to_string_lossy().into_owned(), fs_err::read(entry.path())?))
        })
        .collect()
}

/// Generates beside the committed code and compares.
pub(crate) fn check(root: &Path) -> Result<()> {
    let fresh = root.join("target/xtask-proto");
    fs_err::create_dir_all(&fresh)?;
    for entry in fs_err::read_dir(&fresh)? {
        fs_err::remove_file(entry?.path())?;
    }
    generate(root, &fresh)?;
    let (committed, fresh) = (contents(&folder(root))?, contents(&fresh)?);
    let stale: Vec<_> = fresh
        .keys()
        .chain(committed.keys())
        .filter(|name| fresh.get(*name) != committed.get(*name))
        .collect();
    if !stale.is_empty() {
        bail!("generated code is not current ({stale:?}): run `cargo xtask proto` and commit");
    }
    println!("generated code is current ({} files)", committed.len());
    Ok(())
}
