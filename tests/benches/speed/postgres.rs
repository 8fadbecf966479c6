//! The same work done the usual way: a tonic service that keeps its rows in PostgreSQL, with synchronous commit, in one
//! round trip a call. Its tables have what the journal and the state of records have of the same calls, and indexes for
//! the same lists.

use std::convert::Infallible;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiyao_proto::records::v1 as api;
use jiyao_reader::Words;
use jiyao_testkit::Raw;
use prost::Message as _;
use prost::bytes::Bytes;
use tokio::sync::Semaphore;
use tokio_postgres::{Client, NoTls, Statement};
use tonic::{Request, Response, Status};

use crate::AT_ONCE;
use crate::floor::listening;

const TABLES: &str = "
    create table minutes (
        name text primary key, organ text not null, revision bigint not null, identity text not null,
        digest bytea not null, meeting_date text not null, issuer text not null, number text not null,
        items int not null, decisions int not null, doubts int not null, document bytea not null,
        original bytea not null, unique (organ, identity, name), unique (organ, digest));
    create index on minutes (meeting_date desc, name);
    create index on minutes (organ, meeting_date desc, name);
    create table matters (
        name text primary key, minutes text not null, number text not null unique, lead text not null,
        state text not null, due text not null, version bigint not null, document jsonb not null);
    create index on matters (minutes, name);
    create index on matters (lead, state, due);
    create index on matters (state, due);
    create table events (
        sequence bigserial primary key, time timestamptz not null default now(), principal text not null,
        method text not null, request_id text not null, request_digest bytea not null, kind text not null,
        body bytea not null, answer bytea not null, unique (principal, method, request_id));
";

/// The minutes, and the event with the answer for a repeat, in one statement.
const IMPORT: &str = "
    with m as (insert into minutes values ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12))
    insert into events (principal, method, request_id, request_digest, kind, body, answer)
    values ('clerk', 'ImportMinutes', $13, $4, 'minutes.imported', convert_to($1, 'UTF8'), convert_to($1, 'UTF8'))";

/// The matter as it is then, its act as an event, in one statement.
const ACCEPT: &str = "
    with m as (
        update matters set state = 'ACCEPTED', version = version + 1,
            document = document || jsonb_build_object('state', 'ACCEPTED', 'version', version + 1, 'history',
                document->'history' || jsonb_build_object('act', 'ACCEPT', 'actor', $2::text, 'time', now()::text,
                    'from', 'ASSIGNED', 'to', 'ACCEPTED'))
        where name = $1 and state = 'ASSIGNED' returning version),
    e as (
        insert into events (principal, method, request_id, request_digest, kind, body, answer)
        select $2, 'AcceptMatter', $3, $4, 'matter.acted', $5, convert_to($1, 'UTF8') from m)
    select version from m";

fn programs() -> PathBuf {
    std::env::var_os("JIYAO_POSTGRES").map_or_else(|| "/usr/lib/postgresql/15/bin".into(), PathBuf::from)
}

/// A server of its own in a folder; ends with the value.
pub(crate) struct Server {
    server: Child,
    /// Where its socket is.
    pub(crate) folder: PathBuf,
}

/// Nobody: PostgreSQL refuses to run as root.
const NOBODY: u32 = 65534;

impl Server {
    /// None where PostgreSQL is not at hand.
    pub(crate) async fn start(folder: &Path) -> Result<Option<Self>> {
        if !programs().join("initdb").exists() {
            return Ok(None);
        }
        let folder = folder.join("postgres");
        fs_err::create_dir(&folder)?;
        let is_root = rustix::process::geteuid().is_root();
        if is_root {
            std::os::unix::fs::chown(&folder, Some(NOBODY), Some(NOBODY))?;
        }
        let command = |program: &str| {
            let mut command = Command::new(programs().join(program));
            command.current_dir(&folder).stdout(Stdio::null()).stderr(Stdio::null());
            if is_root {
                command.uid(NOBODY).gid(NOBODY);
            }
            command
        };
        let made =
            command("initdb").args(["-D", "data", "-E", "UTF8", "--no-locale", "-A", "trust"]).status()?;
        ensure!(made.success(), "initdb: {made}");
        // Its own settings but for these: fsync and synchronous_commit are on.
        let settings = ["-c", "listen_addresses=", "-c", "max_connections=100", "-k", "."];
        let server = command("postgres").args(["-D", "data"]).args(settings).spawn()?;
        // It works in that folder, so there is its socket.
        let server = Self { server, folder: folder.join("data") };
        for _ in 0..200 {
            if connect(&server.folder).await.is_ok() {
                return Ok(Some(server));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!("PostgreSQL does not answer")
    }

    /// Makes the tables, and matters to accept; answers their names.
    pub(crate) async fn fill(&self, matters: usize) -> Result<Vec<String>> {
        let client = connect(&self.folder).await?;
        client.batch_execute(TABLES).await?;
        let name = |n: usize| format!("organs/linlan/matters/01900000-0000-7000-8000-{n:012x}");
        let insert = "insert into matters select $1, 'organs/linlan/minutes/1', $2, '市住建局', 'ASSIGNED', '2099-12-31', 2,
            jsonb_build_object('name', $1::text, 'number', $2::text, 'content', $3::text, 'lead', '市住建局', 'due',
                '2099-12-31', 'state', 'ASSIGNED', 'version', 2, 'source', jsonb_build_object('minutes',
                'organs/linlan/minutes/1', 'revision', 1, 'text', '每季度向市政府报告一次进度'), 'history', jsonb_build_array(
                jsonb_build_object('act', 'APPROVE', 'actor', '秘书长', 'opinion', '同意'),
                jsonb_build_object('act', 'NOTIFY', 'actor', '督查李', 'notice', '督查通知1号')))";
        let insert = client.prepare(insert).await?;
        let mut names = Vec::new();
        for n in 0..matters {
            let content = format!("按季报告进度之{n}");
            client.execute(&insert, &[&name(n), &format!("督〔2026〕{n}号"), &content]).await?;
            names.push(name(n));
        }
        client.batch_execute("analyze").await?;
        Ok(names)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

async fn connect(folder: &Path) -> Result<Client> {
    let mut config = tokio_postgres::Config::new();
    config.host_path(folder).user("nobody").dbname("postgres");
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

struct Prepared {
    client: Client,
    import: Statement,
    accept: Statement,
}

/// The front: a connection for each client that may be at work.
#[derive(Clone)]
struct Front {
    idle: Arc<Mutex<Vec<Prepared>>>,
    places: Arc<Semaphore>,
    readers: Arc<Semaphore>,
    words: Arc<Words>,
}

impl Front {
    async fn with<T>(&self, work: impl AsyncFnOnce(&Prepared) -> Result<T>) -> Result<T> {
        let _place = self.places.acquire().await?;
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let prepared = idle().pop().context("a connection")?;
        let done = work(&prepared).await;
        idle().push(prepared);
        done
    }

    async fn import(&self, request: Bytes) -> Result<Vec<u8>> {
        let request = api::ImportMinutesRequest::decode(request)?;
        let Some(api::source::From::Content(original)) = request.source.and_then(|source| source.from) else {
            anyhow::bail!("a source");
        };
        let words = Arc::clone(&self.words);
        let place = Arc::clone(&self.readers).acquire_owned().await?;
        let read = move || {
            let _place = place;
            let text = std::str::from_utf8(&original)?;
            let reading = jiyao_reader::read(text, &words);
            anyhow::Ok((jiyao_wire::facts_to(&reading.facts), reading.doubts.len(), original))
        };
        let (facts, doubts, original) = tokio::task::spawn_blocking(read).await??;
        let value =
            |fact: &Option<api::Fact>| fact.as_ref().map(|fact| fact.value.clone()).unwrap_or_default();
        let (issuer, number) = (value(&facts.issuer), value(&facts.document_number));
        let date = value(&facts.meeting.clone().unwrap_or_default().date);
        let decisions: usize = facts.items.iter().map(|item| item.decisions.len()).sum();
        let (items, decisions) = (i32::try_from(facts.items.len())?, i32::try_from(decisions)?);
        let name = format!("{}/minutes/{}", request.parent, uuid::Uuid::now_v7());
        // Whatever makes it tell bytes apart is as good here as SHA-256, and quicker.
        let digest = uuid::Uuid::now_v7().as_bytes().repeat(2);
        let minutes = api::Minutes {
            name: name.clone(),
            revision: 1,
            digest: digest.clone(),
            facts: Some(facts),
            ..api::Minutes::default()
        };
        let document = minutes.encode_to_vec();
        let identity = format!("number:{number}");
        let doubts = i32::try_from(doubts)?;
        self.with(async |prepared: &Prepared| {
            let row: [&(dyn tokio_postgres::types::ToSql + Sync); 13] = [
                &name,
                &request.parent,
                &identity,
                &digest,
                &date,
                &issuer,
                &number,
                &items,
                &decisions,
                &doubts,
                &document,
                &original,
                &request.request_id,
            ];
            Ok(prepared.client.execute(&prepared.import, &row).await?)
        })
        .await?;
        Ok(api::ImportMinutesResponse {
            minutes: Some(minutes),
            already_recorded: false,
            position: Some(jiyao_proto::journal::v1::Cursor {
                journal: uuid::Uuid::nil().to_string(),
                sequence: 1,
                hash: vec![7; 32],
            }),
        }
        .encode_to_vec())
    }

    async fn accept(&self, request: Bytes) -> Result<Vec<u8>> {
        let request = api::AcceptMatterRequest::decode(request)?;
        let entry = br#"{"act":"ACCEPT","unit":"x","from":"ASSIGNED","to":"ACCEPTED"}"#.to_vec();
        let version: i64 = self
            .with(async |prepared: &Prepared| {
                let digest = [7_u8; 32].to_vec();
                let row: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
                    [&request.name, &"住建张", &request.request_id, &digest, &entry];
                Ok(prepared.client.query_one(&prepared.accept, &row).await?.get(0))
            })
            .await?;
        let summary = api::MatterSummary {
            name: request.name,
            content: "按季报告进度".into(),
            lead: "市住建局".into(),
            state: api::MatterState::Accepted.into(),
            ..api::MatterSummary::default()
        };
        let matter = api::Matter {
            summary: Some(summary),
            version: u64::try_from(version)?,
            ..api::Matter::default()
        };
        Ok(api::AcceptMatterResponse { matter: Some(matter), position: None }.encode_to_vec())
    }
}

#[derive(Clone)]
struct Method(Front, bool);

impl tonic::server::UnaryService<Bytes> for Method {
    type Response = Bytes;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Bytes>, Status>> + Send>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let Self(front, is_import) = self.clone();
        Box::pin(async move {
            let bytes = request.into_inner();
            let done = if is_import { front.import(bytes).await } else { front.accept(bytes).await };
            done.map(|answer| Response::new(answer.into())).map_err(|e| Status::internal(format!("{e:#}")))
        })
    }
}

macro_rules! served {
    ($of:ident, $name:literal, $is_import:literal) => {
        #[derive(Clone)]
        struct $of(Front);

        impl tonic::server::NamedService for $of {
            const NAME: &'static str = $name;
        }

        impl tower::Service<http::Request<tonic::body::Body>> for $of {
            type Response = http::Response<tonic::body::Body>;
            type Error = Infallible;
            type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

            fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
                Poll::Ready(Ok(()))
            }

            fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
                let method = Method(self.0.clone(), $is_import);
                Box::pin(async move { Ok(tonic::server::Grpc::new(Raw).unary(method, request).await) })
            }
        }
    };
}

served!(Records, "jiyao.records.v1.RecordsService", true);
served!(Matters, "jiyao.records.v1.MattersService", false);

/// Serves ImportMinutes and AcceptMatter from the server whose socket is in a folder.
pub(crate) async fn front(folder: PathBuf) -> Result<()> {
    let mut idle = Vec::new();
    for _ in 0..AT_ONCE {
        let client = connect(&folder).await?;
        let (import, accept) = (client.prepare(IMPORT).await?, client.prepare(ACCEPT).await?);
        idle.push(Prepared { client, import, accept });
    }
    let processors = std::thread::available_parallelism()?.get();
    let front = Front {
        idle: Arc::new(Mutex::new(idle)),
        places: Arc::new(Semaphore::new(AT_ONCE)),
        readers: Arc::new(Semaphore::new(processors)),
        words: Arc::default(),
    };
    let incoming = listening().await?;
    let server = tonic::transport::Server::builder().add_service(Records(front.clone()));
    Ok(server.add_service(Matters(front)).serve_with_incoming(incoming).await?)
}
