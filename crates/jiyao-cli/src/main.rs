//! The `jiyao` command.

mod deliver;
mod demo;
mod follow_up;
mod import;
mod keep;
mod life;
mod patience;
mod read;
mod room;
mod show;
mod stack;
mod terminal;
mod words;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use jiyao_calendar::Timestamp;
use jiyao_client::{Client, ListMinutes, Page, Settle};

pub(crate) use crate::terminal::{complain, print, print_data};
use crate::words::Speaker;

/// The command; what its parts are for is in the catalogue of phrases.
#[derive(Debug, Parser)]
#[command(name = "jiyao", version)]
struct Cli {
    #[arg(long, global = true, value_name = "LANG")]
    lang: Option<String>,
    #[arg(long, global = true, default_value = "error", value_name = "FILTER")]
    log: String,
    #[command(flatten)]
    services: Services,
    #[command(subcommand)]
    command: Command,
}

/// Where the services are, and who asks.
#[derive(Clone, Debug, Args)]
struct Services {
    #[arg(long, global = true, env = "JIYAO_RECORDS", default_value = jiyao_client::RECORDS, value_name = "URL")]
    records: String,
    #[arg(long, global = true, env = "JIYAO_ATTENDANCE", default_value = jiyao_client::ATTENDANCE, value_name = "URL")]
    attendance: String,
    #[arg(long, global = true, env = "JIYAO_DISTRIBUTION", default_value = jiyao_client::DISTRIBUTION, value_name = "URL")]
    distribution: String,
    #[arg(long, global = true, env = "JIYAO_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    #[arg(long, global = true, env = "JIYAO_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    #[arg(long = "as", global = true, env = "JIYAO_AS", default_value = "", value_name = "NAME")]
    acting: String,
    #[arg(long, global = true, env = "JIYAO_UNIT", default_value = "", value_name = "UNIT")]
    unit: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Demo),
    Up {
        #[arg(long, default_value = "jiyao-data", value_name = "DIR")]
        data_dir: PathBuf,
        #[arg(long, default_value_t = jiyao_records::PORT)]
        port: u16,
    },
    Read(read::ReadFile),
    Write {
        #[arg(value_name = "FACTS")]
        file: PathBuf,
    },
    Resolve {
        name: String,
        doubt: u32,
        value: String,
        #[arg(long)]
        reason: String,
        #[arg(long, default_value = "")]
        path: String,
    },
    Correct {
        name: String,
        path: String,
        value: String,
        #[arg(long)]
        reason: String,
    },
    Import(import::ImportFiles),
    Show {
        name: String,
        #[arg(long)]
        text: bool,
    },
    List {
        #[arg(long, default_value = "organs/-")]
        organ: String,
        #[arg(long)]
        year: Option<u16>,
        #[arg(long)]
        number: Option<String>,
        #[arg(long, value_name = "DATE")]
        from: Option<String>,
        #[arg(long, value_name = "DATE")]
        to: Option<String>,
    },
    Search {
        words: String,
        #[arg(long, default_value = "organs/-")]
        organ: String,
    },
    Watch {
        #[arg(long, default_value = "organs/-")]
        organ: String,
    },
    #[command(flatten)]
    Life(life::LifeCommand),
    #[command(flatten)]
    Keep(keep::KeepCommand),
    Directory {
        #[command(subcommand)]
        command: room::DirectoryCommand,
    },
    Meeting {
        #[command(subcommand)]
        command: room::MeetingCommand,
    },
    Roll {
        minutes: String,
        #[arg(long, requires = "reason", value_name = "FINDING")]
        decide: Option<String>,
        #[arg(long, requires = "decide")]
        reason: Option<String>,
    },
    Quorum {
        meeting: String,
        #[arg(long, value_name = "TIME")]
        at: Option<Timestamp>,
    },
    Proceedings {
        #[command(subcommand)]
        command: life::ProceedingsCommand,
    },
    Freeze(deliver::Freeze),
    Inbox(deliver::Inbox),
    Delivery {
        #[command(subcommand)]
        command: deliver::DeliveryCommand,
    },
    Public {
        #[command(subcommand)]
        command: deliver::PublicCommand,
    },
    Board(follow_up::BoardOf),
    Matter {
        #[command(subcommand)]
        command: follow_up::MatterCommand,
    },
}

fn main() -> ExitCode {
    if jiyao_extract::is_child() {
        return jiyao_extract::child();
    }
    jiyao_journal::make_private_by_default();
    let arguments: Vec<String> = std::env::args().collect();
    let speaker = Speaker::new(jiyao_serve::language(&arguments));
    let command = jiyao_serve::translated(Cli::command(), "jiyao", speaker.lang());
    let cli =
        match command.try_get_matches_from(arguments).and_then(|matches| Cli::from_arg_matches(&matches)) {
            Ok(cli) => cli,
            Err(e) => e.exit(),
        };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            complain(&format!("start the runtime: {e}\n"));
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(cli, &speaker)) {
        Ok(code) => code,
        Err(e) => {
            complain(&format!("{}: {e:#}\n", speaker.say("error")));
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli, speaker: &Speaker) -> Result<ExitCode> {
    let is_status = matches!(cli.command, Command::Keep(keep::KeepCommand::Status));
    let client = || connect(&cli.services, speaker, is_status.then_some(AT_ONCE));
    match cli.command {
        Command::Demo(demo) => {
            let _no_traces = jiyao_telemetry::start("jiyao", &cli.log, None).map_err(anyhow::Error::msg)?;
            demo.run(speaker).await?;
        }
        Command::Up { data_dir, port } => {
            let _no_traces = jiyao_telemetry::start("jiyao", &cli.log, None).map_err(anyhow::Error::msg)?;
            let stack = stack::Stack::start(&data_dir, stack::Ports::From(port)).await?;
            for (name, address) in stack.addresses() {
                print(&format!("{name} listening on {address}\n"));
            }
            stack.until_stopped().await?;
        }
        Command::Read(file) => file.run(speaker)?,
        Command::Write { file } => {
            let is_same = read::write(&file, speaker)?;
            return Ok(if is_same { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Resolve { name, doubt, value, reason, path } => {
            let settle = Settle { value, reason, ..Settle::default() };
            let minutes = client()?.resolve_doubt(&name, doubt, &path, settle).await?.minutes;
            print(&show::minutes(&minutes, speaker));
        }
        Command::Correct { name, path, value, reason } => {
            let settle = Settle { value, reason, ..Settle::default() };
            let minutes = client()?.correct_fact(&name, &path, settle).await?.minutes;
            print(&show::minutes(&minutes, speaker));
        }
        Command::Import(files) => return files.run(&client()?, speaker).await,
        Command::Show { name, text } => {
            let client = client()?;
            if text {
                print_data(&client.minutes_text(&name).await?);
                return Ok(ExitCode::SUCCESS);
            }
            let minutes = client.minutes(&name, None).await?;
            let (roll, list) =
                (client.roll(&name, None).await?, client.distribution_list(&name, None).await?);
            print(&show::minutes(&minutes, speaker));
            print(&show::roll(&roll, speaker));
            print(&show::distribution(&list, speaker));
        }
        Command::List { organ, year, number, from, to } => {
            let client = client()?;
            let query = ListMinutes {
                year,
                document_number: number,
                date_from: from,
                date_to: to,
                ..ListMinutes::of(&organ)
            };
            print(&show::list(&client.all_minutes(query).await?, speaker));
        }
        Command::Search { words, organ } => {
            let client = client()?;
            for (minutes, excerpt) in
                Page::all(async |page| client.search_minutes(&organ, &words, page).await).await?
            {
                let (number, date) = (minutes.document_number, minutes.meeting_date);
                print(&format!("{} {number} {date}\n  … {excerpt} …\n", minutes.name));
            }
        }
        Command::Keep(keep) => return keep.run(client, speaker).await,
        Command::Life(life) => life.run(&client()?, speaker).await?,
        Command::Directory { command } => {
            let is_taken = command.run(&client()?, speaker).await?;
            return Ok(if is_taken { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Meeting { command } => command.run(&client()?, speaker).await?,
        Command::Roll { minutes, decide, reason } => {
            room::roll(&client()?, speaker, &minutes, decide.zip(reason)).await?;
        }
        Command::Quorum { meeting, at } => room::quorum(&client()?, speaker, &meeting, at).await?,
        Command::Proceedings { command } => command.run(&client()?).await?,
        Command::Freeze(freeze) => freeze.run(&client()?, speaker).await?,
        Command::Inbox(inbox) => inbox.run(&client()?, speaker).await?,
        Command::Delivery { command } => command.run(&client()?, speaker).await?,
        Command::Public { command } => command.run(&client()?).await?,
        Command::Board(board) => board.run(&client()?, speaker).await?,
        Command::Matter { command } => command.run(&client()?, speaker).await?,
        Command::Watch { organ } => {
            let mut watch = client()?.watch_minutes(&organ, None);
            loop {
                for change in watch.next().await?.changes {
                    let title = format!("{} {}", change.minutes.issuer, change.minutes.document_number);
                    let arguments = [
                        ("name", change.minutes.name.as_str()),
                        ("revision", &change.revision.to_string()),
                        ("title", title.trim()),
                    ];
                    print(&(speaker.say_with("watch-change", &arguments) + "\n"));
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Whoever asks where the services stand does not wait until they stand.
const AT_ONCE: Duration = Duration::from_secs(3);

fn connect(services: &Services, speaker: &Speaker, patience: Option<Duration>) -> Result<Client> {
    let token = services.token_file.as_ref().map(fs_err::read_to_string).transpose()?;
    let mut builder = Client::builder();
    if let Some(patience) = patience {
        builder = builder.timeout(patience);
    }
    let client = builder
        .records(&services.records)
        .attendance(&services.attendance)
        .distribution(&services.distribution)
        .ca(services.ca.clone())
        .token(token)
        .acting_as(&services.acting, &services.unit)
        .lang(speaker.lang())
        .build()?;
    Ok(client)
}

/// Whether a person is there to be asked.
pub(crate) fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}
