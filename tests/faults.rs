//! What survives: kills, power cuts, a broken state, services that come and go. `JIYAO_FAULTS=long` runs the long
//! forms.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use jiyao_client::{AgendaItem, Client, DisclosureRequest, Import, NewMeeting, Service};
use jiyao_fault::Reason;
use jiyao_testkit::{Process, numbered};

mod calls;
mod damage;
mod followers;
mod kills;
mod power;

/// Clients that write at the same time, one number after the other: groups of a sync are as large as those are many.
const CLIENTS: [usize; 4] = [4, 1, 48, 16];

/// Builds with this feature can be told to end at a point, or to have a bug.
pub(crate) const PLANTED: &str = "planted-failpoints";

/// Whether the long forms are asked for.
pub(crate) fn is_long() -> bool {
    std::env::var("JIYAO_FAULTS").is_ok_and(|form| form == "long")
}

/// The services that are tried: in the short form one.
fn kinds() -> &'static [Kind] {
    if is_long() { &Kind::ALL } else { &Kind::ALL[..1] }
}

fn rounds(short: usize, long: usize) -> usize {
    if is_long() { long } else { short }
}

/// A service, and how it is loaded: what is written to it can be looked up as it was.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Records,
    Attendance,
    Distribution,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Records, Self::Attendance, Self::Distribution];

    pub(crate) fn package(self) -> &'static str {
        match self {
            Self::Records => "jiyao-records",
            Self::Attendance => "jiyao-attendance",
            Self::Distribution => "jiyao-distribution",
        }
    }

    pub(crate) fn service(self) -> Service {
        match self {
            Self::Records => Service::Records,
            Self::Attendance => Service::Attendance,
            Self::Distribution => Service::Distribution,
        }
    }

    pub(crate) fn client(self, address: &str) -> Result<Client> {
        let (url, builder) = (format!("http://{address}"), Client::builder().timeout(Duration::from_secs(5)));
        let builder = match self {
            Self::Records => builder.records(url),
            Self::Attendance => builder.attendance(url),
            Self::Distribution => builder.distribution(url),
        };
        Ok(builder.build()?)
    }

    pub(crate) async fn begin(self, client: &Client) -> Result<()> {
        if matches!(self, Self::Records) {
            client.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?;
        }
        Ok(())
    }

    /// Most are small, some are large: 100 B to nearly 1 MiB.
    fn text(self, n: usize) -> String {
        let size = match n {
            n if n % 40 == 39 => 900_000,
            n if n % 10 == 9 => 100_000,
            n => 200 + n % 7 * 600,
        };
        match self {
            // Little more than its number, or the sample, up to many times its size.
            Self::Records if size < 1000 => {
                format!(
                    "临岚市人民政府常务会议纪要\n〔{}〕{}号\n一、审议《甲办法》\n会议同意。\n",
                    2000 + n / 9000,
                    n % 9000 + 1
                )
            }
            Self::Records => numbered(n) + &"附件内容另册存放。\n".repeat(size / 28),
            // An agenda has room for 400 KB.
            Self::Attendance => format!("{n:06}{}", "略".repeat(size.min(390_000) / 3)),
            Self::Distribution => format!("{n}，{}", "略".repeat(size / 3)),
        }
    }

    pub(crate) async fn write(self, client: &Client, n: usize) -> Result<String> {
        let (organ, text) = ("organs/linlan", self.text(n));
        Ok(match self {
            Self::Records => client.import_minutes(Import::new(organ, text.into_bytes())).await?.minutes.name,
            Self::Attendance => {
                let new = NewMeeting {
                    kind: "常务会议".into(),
                    date: "2025-04-15".into(),
                    items: pieces(&text).map(item).collect(),
                    ..NewMeeting::default()
                };
                client.create_meeting(organ, new).await?.name
            }
            Self::Distribution => {
                let new = DisclosureRequest {
                    applicant: "申请人甲".into(),
                    subject: text,
                    received: "2025-04-01".into(),
                    ..DisclosureRequest::default()
                };
                client.create_disclosure_request(organ, new).await?.name
            }
        })
    }

    pub(crate) async fn is_as_written(self, client: &Client, name: &str, n: usize) -> bool {
        let text = self.text(n);
        match self {
            Self::Records => client.minutes_text(name).await.is_ok_and(|bytes| bytes == text.as_bytes()),
            Self::Attendance => {
                let items = pieces(&text).collect::<Vec<_>>();
                client.meeting(name).await.is_ok_and(|meeting| meeting.items == items)
            }
            Self::Distribution => {
                client.disclosure_request(name, "2025-04-02").await.is_ok_and(|found| found.subject == text)
            }
        }
    }
}

/// A text as titles of agenda items, each as long as one may be.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.as_bytes().chunks(1998).map(|piece| std::str::from_utf8(piece).unwrap_or_default())
}

fn item(title: &str) -> AgendaItem {
    AgendaItem { title: title.to_owned(), ..AgendaItem::default() }
}

/// The settings with which a service runs here.
fn arguments(folder: &Path) -> Vec<String> {
    let folder = folder.display().to_string();
    let arguments =
        ["--listen", "127.0.0.1:0", "--data-dir", &folder, "--set", "log=error", "--set", "reserve_mb=1"];
    arguments.map(str::to_owned).to_vec()
}

fn records(program: &Path, folder: &Path) -> Result<Process> {
    close(folder)?;
    let arguments = arguments(folder);
    Process::start(program, &arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The same, of a build with fail points, one of which acts after so many passes.
fn records_until(program: &Path, folder: &Path, point: &str, passes: usize) -> Result<Process> {
    planted(program, folder, &format!("{point}={passes}*off->return"))
}

/// The same, with all that acts.
fn planted(program: &Path, folder: &Path, points: &str) -> Result<Process> {
    close(folder)?;
    let mut all = vec![format!("FAILPOINTS={points}"), program.display().to_string()];
    all.extend(arguments(folder));
    Process::start(Path::new("/usr/bin/env"), &all.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Takes away what others may do with a folder that a test made or changed: no service takes it else.
fn close(folder: &Path) -> Result<()> {
    let of_its_owner = |path: &Path| {
        let mode = fs_err::metadata(path)?.permissions().mode() & 0o700;
        fs_err::set_permissions(path, Permissions::from_mode(mode))
    };
    if folder.is_dir() {
        for entry in fs_err::read_dir(folder)? {
            close(&entry?.path())?;
        }
    }
    if folder.exists() { Ok(of_its_owner(folder)?) } else { Ok(()) }
}

/// What a harness found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Found {
    /// Writes acknowledged.
    acknowledged: usize,
    /// Those of them that are gone, or other than written.
    lost: usize,
    /// Services that did not start.
    refused: usize,
}

impl Found {
    fn is_clean(self) -> bool {
        (self.lost, self.refused) == (0, 0)
    }

    /// Starts a service once more, and holds what was acknowledged against what it has.
    async fn look(
        &mut self,
        kind: Kind,
        start: impl FnOnce() -> Result<Process>,
        acknowledged: &BTreeMap<String, usize>,
    ) -> Result<Option<Process>> {
        match start() {
            Ok(service) => {
                self.lost += lost(kind, &service.address, acknowledged).await?;
                Ok(Some(service))
            }
            Err(e) => {
                println!("{kind:?}: {e:#}");
                self.refused += 1;
                Ok(None)
            }
        }
    }
}

/// What was acknowledged: name to number of the text.
type Acknowledged = Arc<Mutex<BTreeMap<String, usize>>>;

/// Imports under load until the service goes away.
struct Load {
    acknowledged: Acknowledged,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    async fn start(
        kind: Kind,
        address: &str,
        next: &Arc<AtomicUsize>,
        acknowledged: &Acknowledged,
    ) -> Result<Self> {
        let mut tasks = Vec::new();
        let round = next.load(Ordering::Relaxed);
        for _ in 0..CLIENTS[round % CLIENTS.len()] {
            let client = kind.client(address)?;
            let (next, acknowledged) = (Arc::clone(next), Arc::clone(acknowledged));
            tasks.push(tokio::spawn(async move {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    match kind.write(&client, n).await {
                        Ok(name) => acknowledged.lock().unwrap().insert(name, n),
                        Err(e) => {
                            let reason = e.downcast_ref().and_then(jiyao_client::Error::reason);
                            let is_refused =
                                matches!(reason, Some(Reason::FieldInvalid | Reason::FieldRequired));
                            assert!(!is_refused, "the load is no load: {e:#}");
                            return;
                        }
                    };
                }
            }));
        }
        Ok(Self { acknowledged: Arc::clone(acknowledged), tasks })
    }

    fn acknowledged(&self) -> BTreeMap<String, usize> {
        self.acknowledged.lock().unwrap().clone()
    }

    async fn end(self) {
        for task in self.tasks {
            task.abort();
            assert!(!task.await.is_err_and(|ended| ended.is_panic()), "a writer ended on its own");
        }
    }
}

/// How many acknowledged writes the service no longer has as they were.
async fn lost(kind: Kind, address: &str, acknowledged: &BTreeMap<String, usize>) -> Result<usize> {
    let client = kind.client(address)?;
    let mut lost = 0;
    for (name, n) in acknowledged {
        lost += usize::from(!kind.is_as_written(&client, name, *n).await);
    }
    Ok(lost)
}

async fn create_organ(address: &str) -> Result<()> {
    Kind::Records.begin(&Kind::Records.client(address)?).await
}

pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    fs_err::create_dir_all(to)?;
    for entry in fs_err::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs_err::copy(entry.path(), target)?;
        }
    }
    close(to)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
