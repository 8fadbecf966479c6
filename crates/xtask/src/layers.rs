//! The layers of the workspace: an import goes only downwards, and a heavy dependency has one owner.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use cargo_metadata::{DependencyKind, MetadataCommand};

/// Every crate and its layer. A crate may import crates of lower layers, and of its own layer only where
/// [`SAME_LAYER`] says so.
const LAYERS: &[(&str, u8)] = &[
    ("jiyao-fault", 0),
    ("jiyao-names", 1),
    ("jiyao-docnum", 1),
    ("jiyao-phrases", 1),
    ("jiyao-calendar", 1),
    ("jiyao-reader", 2),
    ("jiyao-minutes", 2),
    ("jiyao-matters", 2),
    ("jiyao-receipts", 2),
    ("jiyao-rolls", 2),
    ("jiyao-deliveries", 2),
    ("jiyao-extract", 3),
    ("jiyao-proto", 3),
    ("jiyao-wire", 3),
    ("jiyao-journal", 3),
    ("jiyao-state", 3),
    ("jiyao-config", 3),
    ("jiyao-telemetry", 3),
    ("jiyao-backup", 4),
    ("jiyao-ledger", 4),
    ("jiyao-serve", 4),
    ("jiyao-client", 4),
    ("jiyao-records", 5),
    ("jiyao-attendance", 5),
    ("jiyao-distribution", 5),
    ("jiyao-cli", 6),
    ("jiyao-testkit", 7),
    ("jiyao-tests", 7),
    ("jiyao-fuzz", 7),
    ("xtask", 7),
];

/// Imports inside one layer: the facts are the reader's, the wire stands on the generated code, and a service is a
/// ledger that is served.
const SAME_LAYER: &[(&str, &str)] = &[
    ("jiyao-minutes", "jiyao-reader"),
    ("jiyao-matters", "jiyao-reader"),
    ("jiyao-matters", "jiyao-minutes"),
    ("jiyao-rolls", "jiyao-reader"),
    ("jiyao-deliveries", "jiyao-reader"),
    ("jiyao-deliveries", "jiyao-rolls"),
    ("jiyao-deliveries", "jiyao-minutes"),
    ("jiyao-deliveries", "jiyao-receipts"),
    ("jiyao-wire", "jiyao-proto"),
    ("jiyao-serve", "jiyao-backup"),
    ("jiyao-serve", "jiyao-ledger"),
    ("jiyao-tests", "jiyao-testkit"),
    ("jiyao-fuzz", "jiyao-testkit"),
];

/// Dependencies that only the named crates may declare (outside tests).
const OWNERS: &[(&str, &[&str])] = &[
    ("sled", &["jiyao-state"]),
    ("crc32c", &["jiyao-journal", "jiyao-state"]),
    (
        "rustix",
        &["jiyao-calendar", "jiyao-cli", "jiyao-extract", "jiyao-journal", "jiyao-serve", "jiyao-testkit"],
    ),
    ("csv", &["jiyao-rolls"]),
    ("ed25519-dalek", &["jiyao-receipts"]),
    ("ring", &["jiyao-serve"]),
    ("encoding_rs", &["jiyao-extract"]),
    ("lettre", &["jiyao-distribution"]),
    ("mail-parser", &["jiyao-distribution"]),
    ("reqwest", &["jiyao-distribution"]),
    ("ipnet", &["jiyao-distribution"]),
    ("html5ever", &["jiyao-extract"]),
    ("quick-xml", &["jiyao-extract"]),
    ("metrics", &["jiyao-telemetry"]),
    ("mimalloc", &["jiyao-serve"]),
    ("opentelemetry", &["jiyao-telemetry"]),
    ("opentelemetry-otlp", &["jiyao-telemetry"]),
    ("opentelemetry_sdk", &["jiyao-telemetry"]),
    ("tracing-opentelemetry", &["jiyao-telemetry"]),
    ("metrics-exporter-prometheus", &["jiyao-telemetry"]),
    ("tar", &["jiyao-backup"]),
    ("zip", &["jiyao-extract", "jiyao-testkit"]),
    ("pdf-extract", &["jiyao-extract"]),
    ("regex", &["jiyao-reader"]),
    ("fluent-bundle", &["jiyao-phrases"]),
    ("unic-langid", &["jiyao-phrases"]),
    ("jiff", &["jiyao-calendar"]),
    ("toml", &["jiyao-config", "jiyao-serve"]),
    ("tonic-prost", &["jiyao-proto"]),
    ("tonic-health", &["jiyao-serve", "jiyao-tests"]),
    ("tonic-reflection", &["jiyao-serve", "jiyao-tests"]),
    ("tonic-types", &["jiyao-wire"]),
    ("protox", &["xtask"]),
    ("tonic-prost-build", &["xtask"]),
    ("tracing-subscriber", &["jiyao-telemetry"]),
    ("comfy-table", &["jiyao-cli"]),
    ("indicatif", &["jiyao-cli"]),
];

/// Pure crates: rules without async, I/O, clock or randomness.
const PURE: &[&str] =
    &["jiyao-reader", "jiyao-minutes", "jiyao-matters", "jiyao-receipts", "jiyao-rolls", "jiyao-deliveries"];
const IMPURE: &[&str] =
    &["tokio", "tonic", "fs-err", "sled", "getrandom", "rand", "uuid", "rustix", "tracing"];

/// Features that plant a bug for the fault tests, and must never be on by default.
const PLANTED: &str = "planted-";

fn layer(name: &str) -> Option<u8> {
    LAYERS.iter().find(|(n, _)| *n == name).map(|(_, layer)| *layer)
}

/// Checks all of it and lists every breach.
pub(crate) fn check(root: &Path) -> Result<()> {
    let metadata =
        MetadataCommand::new().manifest_path(root.join("Cargo.toml")).exec().context("run cargo metadata")?;
    let mut breaches = Vec::new();
    let members = metadata.workspace_packages();
    for package in &members {
        let name = package.name.as_str();
        let Some(own) = layer(name) else {
            breaches.push(format!("{name} has no layer: add it to LAYERS"));
            continue;
        };
        for dependency in package.dependencies.iter().filter(|d| d.kind != DependencyKind::Development) {
            let target = dependency.name.as_str();
            if let Some(below) = layer(target) {
                let beside = below == own && SAME_LAYER.contains(&(name, target));
                if below >= own && !beside {
                    breaches.push(format!("{name} (layer {own}) imports {target} (layer {below})"));
                }
            }
            if let Some((_, owners)) = OWNERS.iter().find(|(d, _)| *d == target)
                && !owners.contains(&name)
            {
                breaches.push(format!("{name} names {target}, which belongs to {owners:?}"));
            }
            if PURE.contains(&name) && IMPURE.contains(&target) {
                breaches.push(format!("{name} is pure and must not name {target}"));
            }
        }
        if let Some(default) = package.features.get("default")
            && default.iter().any(|feature| feature.contains(PLANTED))
        {
            breaches.push(format!("{name} plants a bug by default"));
        }
        let folder = package.manifest_path.parent().and_then(|p| p.file_name()).unwrap_or_default();
        if package.manifest_path.as_str().contains("/crates/") && folder != name {
            breaches.push(format!("folder {folder} holds the crate {name}: they must have one name"));
        }
    }
    for (name, _) in LAYERS {
        if !members.iter().any(|package| package.name.as_str() == *name) {
            breaches.push(format!("LAYERS names {name}, which does not exist"));
        }
    }
    let resolve = metadata.resolve.as_ref().context("cargo metadata gave no resolution")?;
    for node in &resolve.nodes {
        for feature in node.features.iter().filter(|feature| feature.starts_with(PLANTED)) {
            breaches.push(format!("{} is resolved with {feature}", node.id));
        }
    }
    if !breaches.is_empty() {
        bail!("the layering is broken:\n  {}", breaches.join("\n  "));
    }
    println!("layers hold ({} crates)", members.len());
    Ok(())
}
