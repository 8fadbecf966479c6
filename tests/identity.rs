//! Who asks, and may they.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use jiyao_client::{Builder, Client, ErrorKind, Import, ListMinutes, Service};
use jiyao_fault::Reason;
use jiyao_proto::options::v1::Least;
use jiyao_proto::{METHODS, Method};
use jiyao_serve::Role;
use jiyao_testkit::{Authority, Process, SAMPLE, Tokens, binary};
use tempfile::TempDir;
use tonic::transport::{Certificate, Channel, ClientTlsConfig};
use tonic::{Code, Request};

const SERVICES: [(&str, &str, &str); 3] = [
    ("jiyao-records", "127.0.0.2", "jiyao.records.v1.RecordsService"),
    ("jiyao-attendance", "127.0.0.3", "jiyao.attendance.v1.AttendanceService"),
    ("jiyao-distribution", "127.0.0.4", "jiyao.distribution.v1.DistributionService"),
];

fn start(
    package: &str,
    address: &str,
    folder: &Path,
    authority: &Authority,
    tokens: &Tokens,
    records: Option<&str>,
) -> Result<Process> {
    let (cert, key) = authority.certify(address)?;
    let mut settings = vec![
        format!("tls_cert={}", cert.display()),
        format!("tls_key={}", key.display()),
        format!("tokens={}", tokens.path().display()),
        "log=error".to_owned(),
        "reserve_mb=1".to_owned(),
    ];
    if let Some(records) = records {
        settings.push(format!("records=https://{records}"));
        settings.push(format!("records_ca={}", authority.ca().display()));
        settings.push(format!("records_token={}", folder.join(format!("{package}.token")).display()));
    }
    let mut arguments = vec!["--listen".to_owned(), format!("{address}:0"), "--data-dir".to_owned()];
    arguments.push(folder.join(package).display().to_string());
    for setting in settings {
        arguments.extend(["--set".to_owned(), setting]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Process::start(&binary(package, package, None)?, &arguments)
}

/// Calls a method with an empty message: what is refused before the message is looked at.
async fn call(channel: &Channel, path: &str, token: Option<&str>) -> tonic::Status {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.unwrap();
    let mut request = Request::new(());
    if let Some(token) = token {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    let codec = tonic_prost::ProstCodec::<(), ()>::default();
    let answer = grpc.server_streaming(request, path.parse().unwrap(), codec).await;
    match answer {
        Err(status) => status,
        Ok(mut stream) => match stream.get_mut().message().await {
            Err(status) => status,
            Ok(_) => tonic::Status::ok("answered"),
        },
    }
}

#[tokio::test]
async fn three_services_on_three_addresses_with_tls_and_tokens() -> Result<()> {
    let folder = TempDir::new()?;
    let authority = Authority::new(folder.path())?;
    let lines = [
        ("clerk-token-of-a-test", "chen", "clerk"),
        ("reader-token-of-a-test", "li", "reader"),
        ("attendance-token-of-a-test", "attendance's", "service"),
        ("distribution-token-of-a-test", "distribution's", "service"),
        ("operator-token-of-a-test", "周", "operator"),
    ];
    let tokens = Tokens::new(&folder.path().join("tokens.toml"), &lines)?;
    jiyao_testkit::secret(&folder.path().join("jiyao-attendance.token"), "attendance-token-of-a-test\n")?;
    jiyao_testkit::secret(&folder.path().join("jiyao-distribution.token"), "distribution-token-of-a-test\n")?;
    let mut processes = Vec::<Process>::new();
    for (package, address, _) in SERVICES {
        let records = processes.first().map(|records| records.address.clone());
        processes.push(start(package, address, folder.path(), &authority, &tokens, records.as_deref())?);
    }
    let builder = |token: Option<&str>| -> Builder {
        Client::builder()
            .records(format!("https://{}", processes[0].address))
            .attendance(format!("https://{}", processes[1].address))
            .distribution(format!("https://{}", processes[2].address))
            .ca(Some(authority.ca()))
            .token(token.map(str::to_owned))
    };
    let clerk = builder(Some("clerk-token-of-a-test")).build()?;
    let organ = clerk.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?;
    let imported = clerk.import_minutes(Import::new(&organ.name, SAMPLE.as_bytes().to_vec())).await?;
    assert_eq!(imported.minutes.importer, "chen", "the record says who");
    assert_eq!(clerk.roll(&imported.minutes.name, Some(&imported.position)).await?.present, 8);
    assert_eq!(
        clerk.distribution_list(&imported.minutes.name, Some(&imported.position)).await?.recipients.len(),
        4
    );

    // A reader reads, and records nothing.
    let reader = builder(Some("reader-token-of-a-test")).build()?;
    assert_eq!(reader.list_minutes(ListMinutes::of("organs/-")).await?.entries.len(), 1);
    let refused =
        reader.import_minutes(Import::new(&organ.name, SAMPLE.as_bytes().to_vec())).await.unwrap_err();
    assert_eq!((refused.reason(), refused.kind()), (Some(Reason::RoleMissing), ErrorKind::Forbidden));

    // An operator keeps the services, and reads no minutes by that.
    let operator = builder(Some("operator-token-of-a-test")).build()?;
    for service in Service::ALL {
        operator.status(service).await?;
        assert!(operator.verify_journal(service, |_| {}).await?.damaged.is_empty());
        operator.backup(service, &mut Vec::new()).await?;
    }
    let refused = operator.minutes(&imported.minutes.name, None).await.unwrap_err();
    assert_eq!(refused.reason(), Some(Reason::RoleMissing));
    let refused = reader.backup(Service::Records, &mut Vec::new()).await.unwrap_err();
    assert_eq!(refused.reason(), Some(Reason::RoleMissing));

    // Nobody else gets anything, from any of the three; nor without the right authority.
    for (token, reason) in [(None, Reason::TokenMissing), (Some("wrong"), Reason::TokenInvalid)] {
        let nobody = builder(token).build()?;
        let name = &imported.minutes.name;
        let refusals = [
            nobody.minutes(name, None).await.unwrap_err(),
            nobody.roll(name, None).await.unwrap_err(),
            nobody.distribution_list(name, None).await.unwrap_err(),
        ];
        for refusal in refusals {
            assert_eq!(refusal.reason(), Some(reason));
        }
    }
    let stranger = Authority::new(&{
        let path = folder.path().join("stranger");
        fs_err::create_dir_all(&path)?;
        path
    })?;
    let wrong = builder(Some("clerk-token-of-a-test"))
        .ca(Some(stranger.ca()))
        .timeout(Duration::from_secs(2))
        .build()?;
    let failed = wrong.minutes(&imported.minutes.name, None).await.unwrap_err();
    assert!(failed.is_unavailable() && failed.to_string().contains("certificate"), "{failed}");

    // Every method of every service, without a token and with one that lacks the role.
    for ((_, address, service), process) in SERVICES.iter().zip(&processes) {
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(fs_err::read(authority.ca())?));
        let channel =
            Channel::from_shared(format!("https://{}", process.address))?.tls_config(tls)?.connect().await?;
        let package = service.rsplit_once('.').map_or("", |(package, _)| package);
        let of = [package, "jiyao.journal.v1", "jiyao.operations.v1"];
        let is_here = |method: &&Method| of.iter().any(|of| method.path.starts_with(&format!("/{of}.")));
        assert!(METHODS.iter().any(|method| method.path.starts_with(&format!("/{service}/"))), "{address}");
        for Method { path, least, .. } in METHODS.iter().filter(is_here) {
            let status = call(&channel, path, None).await;
            // What is public is read by whoever comes, and a token that is wrong is wrong everywhere.
            let is_public = *least == Least::Anyone;
            assert_eq!(status.code() == Code::Unauthenticated, !is_public, "{path}: {status}");
            assert_eq!(call(&channel, path, Some("wrong")).await.code(), Code::Unauthenticated, "{path}");
        }
        for (token, role) in
            [("clerk-token-of-a-test", Role::Clerk), ("reader-token-of-a-test", Role::Reader)]
        {
            let is_closed = |method: &&Method| {
                method.least != Least::Anyone && !jiyao_serve::roles_of(method).contains(&role)
            };
            for Method { path, .. } in METHODS.iter().filter(is_here).filter(is_closed) {
                let refused = call(&channel, path, Some(token)).await;
                assert_eq!(refused.code(), Code::PermissionDenied, "{path} with {token}: {refused}");
            }
        }
        assert_eq!(
            call(&channel, "/jiyao.records.v1.RecordsService/Nothing", Some("clerk-token-of-a-test"))
                .await
                .code(),
            Code::PermissionDenied
        );
    }

    // A revoked token ends within seconds.
    tokens.write(&lines[1..])?;
    let mut last = None;
    for _ in 0..100 {
        last = clerk.minutes(&imported.minutes.name, None).await.err().and_then(|error| error.reason());
        if last.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(last, Some(Reason::TokenInvalid));
    assert!(reader.minutes(&imported.minutes.name, None).await.is_ok(), "others go on");
    Ok(())
}
