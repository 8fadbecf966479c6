use std::path::{Path, PathBuf};

/// Minutes of a city that does not exist: those that ship with the command line.
pub const SAMPLE: &str = include_str!("../../jiyao-cli/sample/minutes.txt");

/// The directory of the sample's organ: its units, recipient classes, members.
pub const DIRECTORY: &str = include_str!("../../jiyao-cli/sample/directory.csv");

/// The sample as another meeting: its own number, ordinal and date, and so its own identity. `n` from 0 up to some
/// thousands.
#[must_use]
pub fn numbered(n: usize) -> String {
    let (year, number) = (2026 + n / 3000, n % 3000 + 1);
    let (month, day) = (n / 28 % 12 + 1, n % 28 + 1);
    SAMPLE
        .replace("〔2025〕9号", &format!("〔{year}〕{number}号"))
        .replace("第42次", &format!("第{number}次"))
        .replace("2025年4月15日", &format!("{year}年{month}月{day}日"))
}

/// Folders of real minutes with their facts, beside the project; empty where they are absent.
#[must_use]
pub fn corpus() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut folders: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join("facts.json").exists())
        .collect();
    folders.sort();
    folders
}
