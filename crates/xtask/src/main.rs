//! The project's own chores: `cargo xtask proto [--check]` and `cargo xtask layers`.

mod calls;
mod checks;
mod layers;
mod methods;
mod proto;

use std::path::PathBuf;

use anyhow::{Result, bail};

const USAGE: &str = "usage: cargo xtask <command>

  proto            write the generated code of jiyao-proto from proto/
  proto --check    fail when the committed generated code is not current
  layers           fail when a crate imports upwards, or names a dependency that another crate owns";

/// The workspace's root folder.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["proto"] => proto::write(&root()),
        ["proto", "--check"] => proto::check(&root()),
        ["layers"] => layers::check(&root()),
        _ => bail!("{USAGE}"),
    }
}
