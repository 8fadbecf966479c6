//! The whole story with one command.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use jiyao_client::Import;

use crate::import::{Missing, organ_of};
use crate::stack::{Ports, Stack};
use crate::words::Speaker;
use crate::{print, show};

/// Minutes of a city that does not exist.
const SAMPLE: &str = include_str!("../sample/minutes.txt");

/// What to show.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    file: Option<PathBuf>,
    #[arg(long)]
    once: bool,
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl Demo {
    pub(crate) async fn run(self, speaker: &Speaker) -> Result<()> {
        let bytes = match &self.file {
            Some(file) => fs_err::read(file)?,
            None => SAMPLE.as_bytes().to_vec(),
        };
        let temporary = tempfile::tempdir()?;
        let folder = self.data_dir.clone().unwrap_or_else(|| temporary.path().to_owned());
        let stack = Stack::start(&folder, Ports::UsualOrFree).await?;
        let client = stack.client(speaker.lang())?;

        let (organ, created) = organ_of(&bytes, &client, Missing::Create, speaker).await?;
        if created {
            let arguments = [("organ", organ.name.as_str()), ("title", organ.display_name.as_str())];
            print(&(speaker.say_with("demo-organ", &arguments) + "\n"));
        }
        let file = self
            .file
            .as_ref()
            .map_or_else(|| "sample/minutes.txt".to_owned(), |file| file.display().to_string());
        let imported = client.import_minutes(Import::new(&organ.name, bytes)).await?;
        let name = imported.minutes.name.as_str();
        let already = if imported.already_recorded { "import-known" } else { "import-new" };
        print(&(speaker.say_with(already, &[("file", &file), ("name", name)]) + "\n\n"));
        print(&show::minutes(&imported.minutes, speaker));
        // Both follow records: these reads wait until they have come this far.
        print(&show::roll(&client.roll(name, Some(&imported.position)).await?, speaker));
        print(&show::distribution(&client.distribution_list(name, Some(&imported.position)).await?, speaker));

        let folder = folder.display().to_string();
        if self.once {
            stack.stop().await?;
            if self.data_dir.is_some() {
                print(&format!("\n{}\n", speaker.say_with("demo-kept", &[("folder", &folder)])));
            }
            return Ok(());
        }
        // Lines that need services are printed where these go on serving.
        print(&format!("\n{}\n", speaker.say("demo-look")));
        let calls = [
            (format!("{{\"parent\":\"{name}\"}}"), "jiyao.records.v1.RecordsService/ListDecisions"),
            (format!("{{\"name\":\"{name}/roll\"}}"), "jiyao.attendance.v1.AttendanceService/GetRoll"),
            (
                format!("{{\"name\":\"{name}/distributionList\"}}"),
                "jiyao.distribution.v1.DistributionService/GetDistributionList",
            ),
        ];
        for ((_, address), (body, method)) in stack.addresses().zip(calls) {
            print(&format!("  grpcurl -plaintext -d '{body}' {address} {method}\n"));
        }
        print(&format!("\n{}\n", speaker.say_with("demo-serving", &[("folder", &folder)])));
        stack.until_stopped().await
    }
}
