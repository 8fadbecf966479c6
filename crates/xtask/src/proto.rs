//! Generated code: protox parses `proto/`, tonic-prost-build writes `crates/jiyao-proto/src/generated/`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use prost::Message as _;
use prost_types::FileDescriptorSet;

/// Package of what is only on disk: it gets messages, but no place in the descriptor set that reflection serves.
const PRIVATE: &str = "jiyao.stored.v1";

/// Methods that servers answer with what is stored, not decoded: messages of [`PRIVATE`] say how.
const ENCODED: [&str; 3] = ["GetMinutes", "ImportMinutes", "ListMinutes"];

/// The same with a message that is written by hand.
const FOLLOW: &str = "Follow";

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
    let mut builder = tonic_prost_build::configure()
        .out_dir(out)
        .include_file("mod.rs")
        .emit_rerun_if_changed(false)
        .build_server(false)
        .bytes(format!(".{PRIVATE}.EncodedDocument"))
        .bytes(format!(".{PRIVATE}.EncodedMinutesImported.minutes"));
    for method in ENCODED {
        builder = builder.bytes(encoded(method));
    }
    builder.compile_fds(set.clone()).context("generate messages and clients")?;
    let servers = out.join("server");
    fs_err::create_dir_all(&servers)?;
    let packages: BTreeSet<_> = set.file.iter().map(|file| file.package().to_owned()).collect();
    let mut builder = tonic_prost_build::configure()
        .out_dir(servers)
        .include_file("mod.rs")
        .emit_rerun_if_changed(false)
        .build_client(false)
        .extern_path(encoded(FOLLOW), "crate::encoded::EncodedFollowResponse");
    for package in packages.iter().filter(|package| package.starts_with("jiyao.")) {
        let module = package.trim_start_matches("jiyao.").replace('.', "::");
        builder = builder.extern_path(format!(".{package}"), format!("crate::{module}"));
    }
    builder.compile_fds(answering_encoded(set.clone())).context("generate servers")?;
    set.file.retain(|file| file.package() != PRIVATE);
    for file in &mut set.file {
        file.source_code_info = None;
    }
    fs_err::write(out.join("descriptors.bin"), set.encode_to_vec())?;
    Ok(())
}

fn encoded(method: &str) -> String {
    format!(".{PRIVATE}.Encoded{method}Response")
}

/// The same services, answering some calls with a message of the same bytes whose inner ones are left encoded.
fn answering_encoded(mut set: FileDescriptorSet) -> FileDescriptorSet {
    for method in
        set.file.iter_mut().flat_map(|file| &mut file.service).flat_map(|service| &mut service.method)
    {
        if method.name() == FOLLOW || ENCODED.contains(&method.name()) {
            method.output_type = Some(encoded(method.name()));
        }
    }
    set
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
    let mut found = BTreeMap::new();
    for entry in [folder.to_owned(), folder.join("server")].iter().flat_map(fs_err::read_dir).flatten() {
        let path = entry?.path();
        if path.is_file() {
            let name = path.strip_prefix(folder)?.display().to_string();
            found.insert(name, fs_err::read(path)?);
        }
    }
    Ok(found)
}

/// Generates beside the committed code and compares.
pub(crate) fn check(root: &Path) -> Result<()> {
    let fresh = root.join("target/xtask-proto");
    if fresh.exists() {
        fs_err::remove_dir_all(&fresh)?;
    }
    fs_err::create_dir_all(&fresh)?;
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
