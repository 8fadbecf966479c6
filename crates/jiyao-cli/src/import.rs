//! Recording files.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, anyhow, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use jiyao_client::{Client, Import, Imported, Organ, Standing};

use crate::terminal::safe;
use crate::words::Speaker;
use crate::{complain, print};

/// Files to record.
#[derive(Debug, Args)]
pub(crate) struct ImportFiles {
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[arg(long)]
    organ: Option<String>,
    #[arg(long)]
    create_organ: bool,
    #[arg(long)]
    keep_anyway: bool,
    #[arg(long)]
    draft: bool,
    #[arg(long, value_name = "MINUTES")]
    corrects: Option<String>,
    #[arg(short, long)]
    quiet: bool,
}

impl ImportFiles {
    pub(crate) async fn run(self, client: &Client, speaker: &Speaker) -> Result<ExitCode> {
        let bar = ProgressBar::new(self.files.len() as u64);
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {wide_msg}") {
            bar.set_style(style);
        }
        let mut failed = 0;
        for file in &self.files {
            let shown = file.display().to_string();
            bar.set_message(safe(&shown));
            let said = match self.one(file, client, speaker).await {
                Ok(imported) if self.quiet => {
                    bar.suspend(|| print(&format!("{}\n", imported.minutes.name)));
                    None
                }
                Ok(imported) => {
                    let id = if imported.already_recorded { "import-known" } else { "import-new" };
                    let mut said =
                        speaker.say_with(id, &[("file", &shown), ("name", &imported.minutes.name)]) + "\n";
                    let doubts = imported.minutes.doubts.len();
                    if doubts > 0 {
                        said += &format!(
                            "  {}\n",
                            speaker.say_with("import-doubts", &[("count", &doubts.to_string())])
                        );
                    }
                    bar.suspend(|| print(&said));
                    None
                }
                Err(e) => {
                    Some(format!("{}: {e:#}\n", speaker.say_with("import-failed", &[("file", &shown)])))
                }
            };
            if let Some(said) = said {
                failed += 1;
                bar.suspend(|| complain(&said));
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    async fn one(&self, file: &PathBuf, client: &Client, speaker: &Speaker) -> Result<Imported> {
        let bytes = fs_err::read(file)?;
        let organ = match &self.organ {
            Some(organ) => organ.clone(),
            None => {
                let ask = if self.create_organ { Missing::Create } else { Missing::Ask };
                organ_of(&bytes, client, ask, speaker).await?.0.name
            }
        };
        let standing = if self.draft { Standing::Draft } else { Standing::IssuedElsewhere };
        let import = Import {
            keep_anyway: self.keep_anyway,
            standing,
            corrects: self.corrects.clone(),
            ..Import::new(&organ, bytes)
        };
        Ok(client.import_minutes(import).await?)
    }
}

/// What to do where no organ is called as the minutes say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Missing {
    Ask,
    Create,
}

/// The organ that the minutes name; and whether it was created for that.
pub(crate) async fn organ_of(
    bytes: &[u8],
    client: &Client,
    missing: Missing,
    speaker: &Speaker,
) -> Result<(Organ, bool)> {
    let text = crate::read::extract(bytes, speaker)?.text;
    let reading = jiyao_reader::read(&text, &jiyao_reader::Words::default());
    let Some(issuer) = reading.facts.issuer.map(|issuer| issuer.value) else {
        bail!(speaker.say("import-no-issuer"));
    };
    if let Some(organ) = client.list_organs(Some(&issuer), None).await?.entries.into_iter().next() {
        return Ok((organ, false));
    }
    let title = [("title", issuer.as_str())];
    if missing == Missing::Ask {
        let agreed = crate::can_ask() && {
            complain(&format!("{} [y/N] ", speaker.say_with("import-ask", &title)));
            std::io::stderr().flush()?;
            let mut answer = String::new();
            std::io::stdin().read_line(&mut answer)?;
            matches!(answer.trim(), "y" | "Y" | "yes" | "是")
        };
        if !agreed {
            return Err(anyhow!(speaker.say_with("import-no-organ", &title)));
        }
    }
    Ok((client.create_organ(None, &issuer, &[]).await?, true))
}
