//! What the law says must go is gone: from every folder of every service and from backups, and the rest stands.

use std::path::Path;

use anyhow::{Context as _, Result};
use jiyao_client::{
    Act, Client, Delivery, DeliveryAct, DisclosureClass, Import, LifeAct, ListMinutes, NewMatter, Service,
    Settle, Standing,
};
use jiyao_proto::client::records::v1::lifecycle_service_client::LifecycleServiceClient;
use jiyao_proto::records::v1 as api;
use jiyao_testkit::{Local, numbered, until};

use crate::distribution::{House, UNIT, draft, of, sign, to_registered};

/// Words of the minutes that must go, and words that people wrote about them.
const CANARY: &str = "金丝雀";

/// Files under a folder that have these bytes.
pub(crate) fn found(folder: &Path, needle: &[u8]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(self::found(&path, needle)?);
        } else if fs_err::read(&path)?.windows(needle.len()).any(|window| window == needle) {
            found.push(path.display().to_string());
        }
    }
    Ok(found)
}

fn reason<T: std::fmt::Debug>(result: Result<T, jiyao_client::Error>) -> String {
    result.unwrap_err().reason().map(|reason| reason.to_string()).unwrap_or_default()
}

fn operator(services: &Local, name: &str) -> Result<Client> {
    Ok(Client::builder()
        .records(format!("http://{}", services.records))
        .attendance(format!("http://{}", services.attendance))
        .distribution(format!("http://{}", services.distribution))
        .acting_as(name, "")
        .build()?)
}

/// Minutes with a whole life, told in words that must go: drafted, amended, settled, signed, delivered, published, made
/// matters of, with a record of discussion.
async fn lived(house: &House) -> Result<(String, String, Vec<Delivery>)> {
    let client = &house.client;
    let first = draft().replace("不搞大拆大建", "不搞大拆大建，金丝雀一");
    let second = first.replace("金丝雀一", "金丝雀二");
    let import = Import { standing: Standing::Draft, ..Import::new(&house.organ, first.into_bytes()) };
    let minutes = client.import_minutes(import).await?.minutes.name;
    client.update_draft(&minutes, second.into_bytes(), false, "金丝雀按会签意见改", None).await?;
    let path = "meeting.chair";
    let settle =
        Settle { value: "金丝雀".into(), reason: "金丝雀改名".into(), etag: None, request_id: None };
    client.correct_fact(&minutes, path, settle).await?;
    let misread = Settle { value: "77".into(), reason: "金丝雀看错".into(), ..Settle::default() };
    client.correct_fact(&minutes, "meeting.ordinal", misread).await?;
    for act in to_registered(DisclosureClass::Public) {
        let act = match act {
            LifeAct::Submit { .. } => LifeAct::Submit { opinion: "金丝雀请审".into() },
            act => act,
        };
        client.step(&minutes, act, None).await?;
    }
    let mut lifecycle = LifecycleServiceClient::connect(format!("http://{}", house.services.records)).await?;
    let request = api::RecordProceedingsRequest {
        minutes: minutes.clone(),
        text: "与会人员谈到金丝雀".into(),
        ..api::RecordProceedingsRequest::default()
    };
    lifecycle.record_proceedings(request).await?;
    let scope = house.frozen(house.freeze(&minutes)).await?;
    house.issue(&minutes).await?;
    let deliveries = house.deliveries(&minutes, scope.total as usize).await?;
    let unit = house.as_unit(UNIT)?;
    let mine = of(&deliveries, UNIT);
    let table = "type,id,title,classes\nunit,later,市数据局,\n".to_owned();
    client.import_directory(&house.organ, table.into_bytes(), false).await?;
    until("a recipient more", async || {
        Ok(client.add_recipient(&minutes, "later", "市长", "金丝雀新设").await.ok())
    })
    .await?;
    client.deliver(&mine.name, DeliveryAct::Remind { text: "金丝雀一文请签收".into() }, None).await?;
    unit.open_delivery(&mine.name).await?;
    unit.deliver(&mine.name, sign(mine), None).await?;
    let other = deliveries.iter().find(|delivery| delivery.title != UNIT).context("another")?;
    let back =
        DeliveryAct::Return { attempt: 1, codes: vec!["99".into()], text: "金丝雀与我无关".into() };
    house.as_unit(&other.title)?.deliver(&other.name, back, None).await?;
    client.deliver(&other.name, DeliveryAct::Resend { reason: "金丝雀有关".into() }, None).await?;
    client.deliver(&other.name, DeliveryAct::Recall { reason: "金丝雀另行处理".into() }, None).await?;
    let publish = LifeAct::Publish { place: "门户网站".into(), separable: false };
    client.step(&minutes, publish, None).await?;
    let is_public = async || {
        let text = client.published(&minutes).await.ok();
        Ok(text.filter(|(_, text)| text.contains(CANARY)))
    };
    until("publication", is_public).await?;
    let matter = NewMatter {
        minutes: minutes.clone(),
        item: 0,
        text: "一条街一条街地谈".into(),
        content: "落实金丝雀工作".into(),
        lead: UNIT.into(),
        due: "2099-06-30".into(),
        raised_by: "金丝雀先生".into(),
        ..NewMatter::default()
    };
    let matter = client.create_matter(matter).await?.summary.name;
    let acts = [
        Act::Approve { opinion: "金丝雀同意".into() },
        Act::Notify { notice: "金丝雀通知".into() },
        Act::Answer { to: "金丝雀先生".into(), text: "金丝雀在办".into() },
    ];
    for act in acts {
        client.act(&matter, act, None).await?;
    }
    Ok((minutes, matter, deliveries))
}

/// What a reader sees of everything but one minutes.
async fn others(client: &Client, but: &str) -> Result<Vec<(String, Vec<u8>, String)>> {
    let mut seen = Vec::new();
    for summary in client.list_minutes(ListMinutes::of("organs/-")).await?.entries {
        if summary.name != but {
            let roll = format!("{:?}", client.roll(&summary.name, None).await?);
            seen.push((summary.name.clone(), client.minutes_text(&summary.name).await?, roll));
        }
    }
    Ok(seen)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_persons_erase_is_nowhere_and_the_rest_stands() -> Result<()> {
    let house = House::new().await?;
    for n in 0..5 {
        let import = Import::new(&house.organ, numbered(n).into_bytes());
        house.client.import_minutes(import).await?;
    }
    let (minutes, matter, deliveries) = lived(&house).await?;
    let client = &house.client;
    let folder = house.folder.path();
    for service in ["records", "attendance", "distribution"] {
        assert!(!found(&folder.join(service), CANARY.as_bytes())?.is_empty(), "{service} has some of it");
    }
    let seen = others(client, &minutes).await?;
    let mut older = Vec::new();
    for service in Service::ALL {
        let mut backup = Vec::new();
        client.backup(service, &mut backup).await?;
        older.push((service, backup));
    }

    let (first, second) = (operator(&house.services, "甲")?, operator(&house.services, "乙")?);
    assert_eq!(reason(first.ask_erasure(&minutes, " ").await), "FIELD_REQUIRED");
    let nothing = format!("{}/minutes/018f2f6e-7c1c-7aaa-8bbb-0123456789ab", house.organ);
    assert_eq!(reason(first.ask_erasure(&nothing, "法").await), "MINUTES_NOT_FOUND");
    let asked = first.ask_erasure(&minutes, "个人信息保护法第四十七条").await?;
    assert_eq!(reason(first.confirm_erasure(&asked.id).await), "SAME_PERSON");
    assert_eq!(reason(second.confirm_erasure("没有").await), "ERASURE_NOT_FOUND");
    assert!(client.minutes_text(&minutes).await.is_ok(), "nothing happens yet");
    let done = second.confirm_erasure(&asked.id).await?;
    assert_eq!((done.asked_by.as_str(), done.confirmed_by.as_str()), ("甲", "乙"));
    for service in Service::ALL {
        let confirmed = async || {
            let known = client.erasures(service).await?;
            Ok(known.into_iter().find(|one| one.id == asked.id && !one.erased.is_empty()))
        };
        let erased = until("a confirmation", confirmed).await?;
        assert!(erased.records > 0, "{service:?}: {erased:?}");
    }
    assert_eq!(reason(first.ask_erasure(&minutes, "再一次").await), "MINUTES_ERASED");

    // Nowhere in what is on disk, also in what is no longer used of it.
    assert_eq!(found(folder, CANARY.as_bytes())?, Vec::<String>::new());
    let look = async |client: &Client| -> Result<()> {
        assert_eq!(others(client, &minutes).await?, seen);
        for service in Service::ALL {
            let verified = client.verify_journal(service, |_| {}).await?;
            assert!(verified.damaged.is_empty() && verified.erased > 0, "{service:?}: {verified:?}");
        }
        let left = client.minutes(&minutes, None).await?;
        assert!(left.facts.items.is_empty() && left.facts.meeting.date.is_some(), "{:?}", left.facts);
        let ordinal = left.facts.meeting.ordinal.context("the register has it")?;
        assert_eq!(ordinal.value.to_string(), "77", "what was corrected in the register stays so");
        assert_eq!(reason(client.minutes_text(&minutes).await), "MINUTES_ERASED");
        assert_eq!(reason(house_unit(client, &deliveries).await), "MINUTES_ERASED");
        assert!(client.published(&minutes).await.is_err(), "no longer public");
        assert_eq!(client.search_minutes("organs/-", CANARY, None).await?.entries, []);
        assert!(client.roll(&minutes, None).await?.entries.is_empty());
        let receipts = client.receipts(&of(&deliveries, UNIT).name).await?;
        assert_eq!(receipts.len(), 2, "that it was delivered stays proved");
        let matter = client.matter(&matter).await?;
        assert_eq!((matter.summary.content.as_str(), matter.summary.lead.as_str()), ("", UNIT));
        Ok(())
    };
    look(&house.as_unit(UNIT)?).await?;
    // Nor does anything of it come in again, or go out.
    let settle = || Settle { value: CANARY.into(), reason: CANARY.into(), ..Settle::default() };
    let publish = LifeAct::Publish { place: CANARY.into(), separable: false };
    let other = deliveries.iter().find(|delivery| delivery.title != UNIT).context("another")?;
    let resend = DeliveryAct::Resend { reason: CANARY.into() };
    for refused in [
        reason(client.update_draft(&minutes, draft().into_bytes(), false, CANARY, None).await),
        reason(client.correct_fact(&minutes, "meeting.chair", settle()).await),
        reason(client.step(&minutes, publish, None).await),
        reason(client.add_recipient(&minutes, UNIT, "市长", CANARY).await),
        reason(client.deliver(&other.name, resend, None).await),
        reason(client.dispatch_minutes(&minutes).await),
    ] {
        assert_eq!(refused, "MINUTES_ERASED");
    }
    // Where it stands in law and in the register goes on.
    client.step(&minutes, LifeAct::Archive { file: "甲字第1卷".into() }, None).await?;

    // The same from the journals alone, and what comes next goes on.
    let House { services, folder, organ, .. } = house;
    services.stop().await?;
    for service in ["records", "attendance", "distribution"] {
        fs_err::remove_dir_all(folder.path().join(service).join("state"))?;
    }
    let services = Local::start_joined(folder.path(), |_| {}).await?;
    let client = services.client()?;
    let unit = Client::builder()
        .records(format!("http://{}", services.records))
        .attendance(format!("http://{}", services.attendance))
        .distribution(format!("http://{}", services.distribution))
        .acting_as("联络员", UNIT)
        .build()?;
    look(&unit).await?;
    let next = client.import_minutes(Import::new(&organ, numbered(99).into_bytes())).await?;
    until("the roll of what came later", async || Ok(client.roll(&next.minutes.name, None).await.ok()))
        .await?;

    // Older backups without what newer ones no longer have.
    let has = |bytes: &[u8]| bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
    for (service, old) in older {
        let (mut newer, mut rewritten) = (Vec::new(), Vec::new());
        client.backup(service, &mut newer).await?;
        assert!(has(&old) && !has(&newer), "{service:?}");
        let (manifest, erased) = jiyao_backup::erase(old.as_slice(), newer.as_slice(), &mut rewritten)?;
        assert!(!has(&rewritten) && erased > 0, "{service:?}");
        assert_eq!(jiyao_backup::check(rewritten.as_slice())?.hash, manifest.hash);
    }
    services.stop().await
}

async fn house_unit(unit: &Client, deliveries: &[Delivery]) -> Result<Vec<u8>, jiyao_client::Error> {
    unit.open_delivery(&of(deliveries, UNIT).name).await.map(|(bytes, _)| bytes)
}

#[tokio::test]
async fn an_erased_draft_is_not_written_again() -> Result<()> {
    let folder = tempfile::TempDir::new()?;
    let services = Local::start(folder.path()).await?;
    let client = services.client()?;
    let organ = client.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?.name;
    let import = Import { standing: Standing::Draft, ..Import::new(&organ, draft().into_bytes()) };
    let minutes = client.import_minutes(import).await?.minutes.name;
    let (first, second) = (operator(&services, "甲")?, operator(&services, "乙")?);
    let asked = first.ask_erasure(&minutes, "某法第九条").await?;
    second.confirm_erasure(&asked.id).await?;
    let submit = LifeAct::Submit { opinion: String::new() };
    assert_eq!(reason(client.step(&minutes, submit, None).await), "MINUTES_ERASED");
    let again = client.update_draft(&minutes, draft().into_bytes(), false, "再来", None).await;
    assert_eq!(reason(again), "MINUTES_ERASED");
    let mut lifecycle = LifecycleServiceClient::connect(format!("http://{}", services.records)).await?;
    let words = api::RecordProceedingsRequest {
        minutes: minutes.clone(),
        text: "谈到什么".into(),
        ..api::RecordProceedingsRequest::default()
    };
    let refused = lifecycle.record_proceedings(words).await.unwrap_err();
    assert_eq!(jiyao_wire::from_status(&refused).reason, Some(jiyao_fault::Reason::MinutesErased));
    client.step(&minutes, LifeAct::Void { reason: "不该录入".into() }, None).await?;
    services.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_follower_erases_goes_no_further() -> Result<()> {
    use jiyao_proto::client::operations::v1::operations_service_client::OperationsServiceClient;
    use jiyao_proto::operations::v1 as wire;
    let house = House::new().await?;
    let text = numbered(7);
    let import = Import::new(&house.organ, text.clone().into_bytes());
    let minutes = house.client.import_minutes(import).await?.minutes.name;
    until("the roll", async || Ok(house.client.roll(&minutes, None).await.ok())).await?;
    let mut attendance =
        OperationsServiceClient::connect(format!("http://{}", house.services.attendance)).await?;
    let mut by = async |name: &str, id: Option<String>| -> Result<wire::Erasure> {
        let name = name.parse()?;
        let erasure = match id {
            None => {
                let ask = wire::AskErasureRequest {
                    minutes: minutes.clone(),
                    basis: "某法第九条".into(),
                    ..wire::AskErasureRequest::default()
                };
                let mut request = tonic::Request::new(ask);
                request.metadata_mut().insert("jiyao-as", name);
                attendance.ask_erasure(request).await?.into_inner().erasure
            }
            Some(id) => {
                let mut request = tonic::Request::new(wire::ConfirmErasureRequest { id });
                request.metadata_mut().insert("jiyao-as", name);
                attendance.confirm_erasure(request).await?.into_inner().erasure
            }
        };
        erasure.context("an erasure")
    };
    let asked = by("first", None).await?;
    assert_eq!(by("second", Some(asked.id)).await?.records, 1);
    assert!(house.client.roll(&minutes, None).await?.entries.is_empty());
    // A step of their life is followed, and brings nothing of it back.
    let revoke = LifeAct::Revoke { document: "撤销决定".into(), reason: "违法".into() };
    house.client.step(&minutes, revoke, None).await?;
    let head = house.client.status(Service::Records).await?.head;
    until("attendance has gone past it", async || {
        let status = house.client.status(Service::Attendance).await?;
        Ok(status.following.iter().any(|one| one.lag == 0 && one.through == head).then_some(()))
    })
    .await?;
    assert!(house.client.roll(&minutes, None).await?.entries.is_empty());
    // Records and distribution follow attendance, and have gone past it.
    let later = house.client.import_directory(
        &house.organ,
        "type,id,title,classes\nunit,new,市数据局,市各有关部门和单位\n".into(),
        false,
    );
    later.await?;
    let is_past = async || {
        let head = house.client.status(Service::Attendance).await?.head;
        let status = house.client.status(Service::Records).await?;
        Ok(status.following.iter().any(|one| one.lag == 0 && one.through == head).then_some(()))
    };
    until("records has gone past it", is_past).await?;
    assert_eq!(house.client.minutes_text(&minutes).await?, text.as_bytes());
    assert!(house.client.erasures(Service::Records).await?.is_empty());
    house.services.stop().await
}

#[tokio::test]
async fn what_remains_of_an_erased_record_is_vouched_for() -> Result<()> {
    let folder = tempfile::TempDir::new()?;
    let services = Local::start(folder.path()).await?;
    let client = services.client()?;
    let organ = client.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?.name;
    client.import_minutes(Import::new(&organ, numbered(1).into_bytes())).await?;
    client.import_minutes(Import::new(&organ, numbered(2).into_bytes())).await?;
    services.stop().await?;
    // Somebody with the disk in hand takes a record out, and nothing says that it should be.
    let options = jiyao_journal::Options { reserve: 0, ..jiyao_journal::Options::default() };
    let mut journal = jiyao_journal::Journal::open(&folder.path().join("records/journal"), options)?.journal;
    let record = journal.log().read(3)?.payload.context("whole")?;
    journal.erase(&std::collections::BTreeMap::from([(3, record)]))?;
    drop(journal);
    let services = Local::start(folder.path()).await?;
    let verified = services.client()?.verify_journal(Service::Records, |_| {}).await?;
    assert_eq!((verified.records, verified.damaged), (2, vec![3]));
    services.stop().await
}
