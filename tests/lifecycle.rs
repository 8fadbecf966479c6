//! The life of minutes over the services: requirements 1 to 20 as users meet them.

use anyhow::Result;
use jiyao_client::{
    Client, Disclosure, DisclosureClass, Error, Import, LifeAct, ListMinutes, Mark, Minutes, Quorum, Settle,
    Side, Stage, Standing,
};
use jiyao_proto::client::records::v1::lifecycle_service_client::LifecycleServiceClient;
use jiyao_proto::client::records::v1::matters_service_client::MattersServiceClient;
use jiyao_proto::records::v1 as wire;
use jiyao_testkit::{DIRECTORY, Local, SAMPLE, numbered, until};
use tempfile::TempDir;
use tonic::transport::Channel;

/// The sample as its drafter has it: without number and dates that only acts give.
fn draft() -> String {
    let dated = |line: &str| line.contains("整理") || line == "〔2025〕9号" || line == "2025年4月24日";
    SAMPLE.lines().filter(|line| !dated(line.trim())).map(|line| format!("{line}\n")).collect()
}

struct House {
    services: Local,
    folder: TempDir,
    organ: String,
}

impl House {
    async fn new() -> Result<Self> {
        let folder = TempDir::new()?;
        let services = Local::start(folder.path()).await?;
        let organ = services.client()?.create_organ(Some("linlan"), "某机关", &[]).await?.name;
        services.hold_posts(&organ, "local", None).await?;
        Ok(Self { services, folder, organ })
    }

    async fn draft(&self, text: &str) -> Result<Minutes> {
        let import =
            Import { standing: Standing::Draft, ..Import::new(&self.organ, text.as_bytes().to_vec()) };
        Ok(self.services.client()?.import_minutes(import).await?.minutes)
    }

    async fn raw(&self) -> Result<LifecycleServiceClient<Channel>> {
        Ok(LifecycleServiceClient::connect(format!("http://{}", self.services.records)).await?)
    }
}

fn reason<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.unwrap_err().reason().map(|reason| reason.to_string()).unwrap_or_default()
}

fn submit() -> LifeAct {
    LifeAct::Submit { opinion: "请审".into() }
}
fn review(approve: bool) -> LifeAct {
    LifeAct::Review { post: "秘书长".into(), mark: Mark::Words, opinion: "意见".into(), approve }
}
fn sign() -> LifeAct {
    let disclosure =
        Disclosure { class: DisclosureClass::Public, reason: String::new(), article: String::new() };
    LifeAct::Sign {
        post: "市长".into(),
        mark: Mark::Words,
        opinion: "签发".into(),
        date: None,
        disclosure: Some(disclosure),
    }
}
fn proofread() -> LifeAct {
    LifeAct::Proofread { opinion: String::new() }
}
fn register() -> LifeAct {
    LifeAct::Register {
        series: String::new(),
        number: String::new(),
        copies: 60,
        scope: "各县、区人民政府".into(),
    }
}
fn quorum(outcome: Quorum) -> LifeAct {
    LifeAct::RecordQuorum { outcome, reason: "8/9".into() }
}
fn to_proofread() -> [LifeAct; 4] {
    [submit(), review(true), sign(), proofread()]
}
fn to_issued() -> Vec<LifeAct> {
    [
        to_proofread().to_vec(),
        vec![register(), LifeAct::Print { copies: 60 }, quorum(Quorum::Met), LifeAct::Issue],
    ]
    .concat()
}

async fn all(client: &Client, name: &str, acts: impl IntoIterator<Item = LifeAct>) -> Result<Minutes> {
    let mut last = client.minutes(name, None).await?;
    for act in acts {
        last = client.step(name, act, None).await?;
    }
    Ok(last)
}

#[tokio::test]
async fn req_11_a_draft_is_reviewed_signed_issued_published_and_filed() -> Result<()> {
    let house = House::new().await?;
    let client = house.services.client()?;
    let made = house.draft(&draft()).await?;
    let name = made.name.as_str();
    assert_eq!((made.life.stage, made.life.version), (Stage::Draft, 0));
    assert_eq!(reason(client.step(name, sign(), None).await), "STATE_FORBIDS");
    assert_eq!(reason(client.step(name, LifeAct::Issue, None).await), "STATE_FORBIDS");
    client.step(name, submit(), Some(0)).await?;
    assert_eq!(reason(client.step(name, review(true), Some(7)).await), "ETAG_STALE");
    let back = client.step(name, review(false), Some(1)).await?;
    assert_eq!(back.life.stage, Stage::Draft);
    all(&client, name, to_proofread()).await?;
    let registered = client.step(name, register(), None).await?;
    assert!(registered.life.number.ends_with("〕1号"), "{}", registered.life.number);
    client.step(name, LifeAct::Print { copies: 60 }, None).await?;
    assert_eq!(reason(client.step(name, LifeAct::Issue, None).await), "QUORUM_OPEN");
    all(&client, name, [quorum(Quorum::Met), LifeAct::Issue]).await?;
    let filed = all(
        &client,
        name,
        [
            LifeAct::Publish { place: "门户网站".into(), separable: false },
            LifeAct::Archive { file: "卷1".into() },
        ],
    )
    .await?;
    let acts: Vec<_> = filed.life.history.iter().map(|entry| entry.act.as_str()).collect();
    assert_eq!(
        acts,
        [
            "SUBMIT",
            "REVIEW",
            "SUBMIT",
            "REVIEW",
            "SIGN",
            "PROOFREAD",
            "REGISTER",
            "PRINT",
            "RECORD_QUORUM",
            "ISSUE",
            "PUBLISH",
            "ARCHIVE"
        ]
    );
    assert!(filed.life.history.iter().all(|entry| entry.actor == "local" && entry.time > 0));
    assert_eq!(filed.life.signed_date, filed.life.issued_date, "both today");
    // Byte for byte, and its decisions become matters.
    assert_eq!(client.minutes_text(name).await?, draft().as_bytes());
    assert_eq!(client.pick_matters(name).await?.matters.len(), 5);
    house.services.stop().await
}

#[tokio::test]
async fn req_14_15_drafts_change_until_issue_and_then_only_by_a_correction() -> Result<()> {
    let house = House::new().await?;
    let client = house.services.client()?;
    let made = house.draft(&draft()).await?;
    let name = made.name.as_str();
    let changed = draft().replace("市住建局", "市房管局");
    let update = async |text: &str, formatting, revision| {
        client.update_draft(name, text.as_bytes().to_vec(), formatting, "改牵头单位", revision).await
    };
    let second = update(&changed, false, Some(1)).await?;
    assert_eq!((second.revision, second.life.stage), (2, Stage::Draft));
    let lead = |minutes: &Minutes| minutes.facts.items[0].decisions[0].lead_units[0].value.to_string();
    assert_eq!((lead(&made), lead(&second)), ("市住建局".to_owned(), "市房管局".to_owned()));
    assert_eq!(reason(update(&changed, false, Some(1)).await), "ETAG_STALE");
    assert_eq!(client.minutes_text(name).await?, changed.as_bytes());
    all(&client, name, to_proofread()).await?;
    let reset = update(&changed.replace("\n\n", "\n"), true, None).await?;
    assert_eq!(reset.life.stage, Stage::Proofread, "only the setting");
    let third = update(&draft(), false, None).await?;
    assert_eq!(
        (third.life.stage, third.life.signed_date.as_str()),
        (Stage::Reviewed, ""),
        "back to the signer"
    );
    let rest =
        [sign(), proofread(), register(), LifeAct::Print { copies: 60 }, quorum(Quorum::Met), LifeAct::Issue];
    all(&client, name, rest).await?;
    assert_eq!(reason(update(&changed, false, None).await), "STATE_FORBIDS");
    assert_eq!(reason(update(&changed, true, None).await), "STATE_FORBIDS");

    // Versions are compared clause by clause.
    let sides = || (Side::Revision(name.to_owned(), 1), Side::Revision(name.to_owned(), 2));
    let (one, two) = sides();
    let changes = client.compare(one, two).await?;
    assert!(
        changes.iter().any(|c| c.before.contains("市住建局") && c.after.contains("市房管局")),
        "{changes:?}"
    );
    let (one, _) = sides();
    assert_eq!(client.compare(one, Side::Revision(name.to_owned(), 4)).await?, [], "the same text again");
    assert_eq!(
        reason(client.compare(Side::Text("甲".into()), Side::Revision(name.to_owned(), 9)).await),
        "REVISION_NOT_FOUND"
    );

    // 更正重印件: another record that takes its place when it is issued; the old one stays, and says so.
    let corrected = Import {
        standing: Standing::Draft,
        corrects: Some(name.to_owned()),
        ..Import::new(&house.organ, changed.into_bytes())
    };
    let new = client.import_minutes(corrected).await?.minutes.name;
    assert_eq!(client.minutes(name, None).await?.life.replaced_by, "", "not yet");
    all(&client, &new, to_issued()).await?;
    let old = client.minutes(name, None).await?;
    assert_eq!((old.life.replaced_by.as_str(), old.life.stage), (new.as_str(), Stage::Issued));
    assert_eq!(client.standing(name, None).await?, ("REPLACED".to_owned(), new.clone()));
    assert_eq!(client.standing(&new, None).await?.0, "IN_FORCE");
    assert_eq!(client.minutes_text(name).await?, draft().as_bytes(), "readable for ever");
    house.services.stop().await
}

#[tokio::test]
async fn req_03_numbers_have_no_gap_with_32_at_once_and_go_on_above_imported_ones() -> Result<()> {
    let house = House::new().await?;
    let client = house.services.client()?;
    let year =
        jiyao_calendar::civil_date(jiyao_calendar::Clock::now(&jiyao_calendar::SystemClock), "Asia/Shanghai")
            .year();
    // One of this year came in from elsewhere with number 7.
    let elsewhere = SAMPLE.replace("〔2025〕9号", &format!("〔{year}〕7号"));
    client.import_minutes(Import::new(&house.organ, elsewhere.into_bytes())).await?;
    let mut names = Vec::new();
    for n in 0..32 {
        let is_draft =
            |line: &&str| !line.contains('号') && !line.contains("整理") && line.trim() != "2025年4月24日";
        let text = numbered(n).lines().filter(is_draft).collect::<Vec<_>>().join("\n");
        let made = house.draft(&text).await?;
        assert_eq!(made.facts.document_number, None, "a draft has no number");
        all(&client, &made.name, to_proofread()).await?;
        names.push(made.name);
    }
    let mut registering = tokio::task::JoinSet::new();
    for name in names {
        let client = client.clone();
        registering.spawn(async move {
            client.step(&name, register(), None).await.map(|minutes| minutes.life.number)
        });
    }
    let mut numbers: Vec<u32> = Vec::new();
    while let Some(number) = registering.join_next().await {
        numbers.push(jiyao_docnum::DocumentNumber::strict(&number??).unwrap().number);
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (8..=39).collect::<Vec<_>>());
    // A draft that prints another number than the next one is refused.
    let wrong = house.draft(&draft().replacen('\n', &format!("\n〔{year}〕99号\n"), 1)).await?;
    all(&client, &wrong.name, to_proofread()).await?;
    assert_eq!(reason(client.step(&wrong.name, register(), None).await), "NUMBER_MISMATCH");
    house.services.stop().await
}

#[tokio::test]
async fn req_12_13_posts_have_holders_and_delegates_a_document() -> Result<()> {
    let house = House::new().await?;
    let mut raw = house.raw().await?;
    let person = |name: &str| -> Result<Client> {
        Ok(Client::builder()
            .records(format!("http://{}", house.services.records))
            .acting_as(name, "")
            .build()?)
    };
    let today =
        jiyao_calendar::civil_date(jiyao_calendar::Clock::now(&jiyao_calendar::SystemClock), "Asia/Shanghai");
    let delegation = |until: jiyao_calendar::Date| wire::Delegation {
        of: "市长".into(),
        to: "常务副市长".into(),
        from: "2020-01-01".into(),
        until: until.to_string(),
        document: "临政发〔2025〕2号".into(),
    };
    let sign_off = |until| wire::SignOff {
        chains: vec![
            wire::Chain {
                meeting_kind: "专题会议".into(),
                reviewers: vec!["副秘书长".into()],
                signer: "副市长".into(),
            },
            wire::Chain {
                meeting_kind: String::new(),
                reviewers: vec!["秘书长".into()],
                signer: "市长".into(),
            },
        ],
        holders: [("常务副市长", "王五"), ("秘书长", "李四")]
            .map(|(post, who)| wire::Holder { post: post.into(), principals: vec![who.into()] })
            .to_vec(),
        delegations: vec![delegation(until)],
    };
    let set = |sign_off| wire::SetSignOffRequest {
        organ: house.organ.clone(),
        sign_off: Some(sign_off),
        request_id: String::new(),
    };
    raw.set_sign_off(set(sign_off(jiyao_calendar::days_later(today, -1)))).await?;
    let made = house.draft(&draft()).await?;
    let name = made.name.as_str();
    person("张三")?.step(name, submit(), None).await?;
    assert_eq!(reason(person("张三")?.step(name, review(true), None).await), "POST_FORBIDS");
    person("李四")?.step(name, review(true), None).await?;
    let deputy = || {
        let LifeAct::Sign { disclosure, .. } = sign() else { unreachable!() };
        LifeAct::Sign {
            post: "常务副市长".into(),
            mark: Mark::Circle,
            opinion: String::new(),
            date: None,
            disclosure,
        }
    };
    assert_eq!(
        reason(person("王五")?.step(name, deputy(), None).await),
        "DELEGATION_MISSING",
        "it has run out"
    );
    raw.set_sign_off(set(sign_off(today))).await?;
    let signed = person("王五")?.step(name, deputy(), None).await?;
    let line = signed.life.history.last().unwrap();
    assert_eq!(
        (line.mark, line.delegated_by.as_str(), line.actor.as_str()),
        (Mark::Circle, "临政发〔2025〕2号", "王五")
    );
    let mut backwards = sign_off(today);
    backwards.delegations[0].from = "2099-01-01".into();
    assert_eq!(raw.set_sign_off(set(backwards)).await.unwrap_err().code(), tonic::Code::InvalidArgument);
    let kept = raw.get_sign_off(wire::GetSignOffRequest { organ: house.organ.clone() }).await?.into_inner();
    assert_eq!(kept.sign_off, Some(sign_off(today)));
    house.services.stop().await
}

#[tokio::test]
async fn req_10_the_issued_text_comes_back_byte_for_byte_and_in_its_order() -> Result<()> {
    let house = House::new().await?;
    let client = house.services.client()?;
    let made = house.draft(&draft()).await?;
    let issued = all(&client, &made.name, to_issued()).await?;
    assert_eq!(client.minutes_text(&made.name).await?, draft().as_bytes());
    let places: Vec<u32> =
        issued.facts.items.iter().filter_map(|item| Some(item.heading.as_ref()?.spans[0].start)).collect();
    assert!(places.is_sorted() && places.len() == issued.facts.items.len(), "items in the order of the text");
    let names: Vec<u32> = issued
        .facts
        .attendance
        .observers
        .iter()
        .filter_map(|one| Some(one.name.as_ref()?.spans[0].start))
        .collect();
    assert!(names.is_sorted() && names.len() > 30, "and so are the people");
    house.services.stop().await
}

#[tokio::test]
async fn req_16_revoked_repealed_and_withdrawn_minutes_answer_by_day() -> Result<()> {
    let house = House::new().await?;
    let client = house.services.client()?;
    let elsewhere =
        client.import_minutes(Import::new(&house.organ, SAMPLE.as_bytes().to_vec())).await?.minutes;
    let name = elsewhere.name.as_str();
    assert_eq!(elsewhere.life.stage, Stage::Issued, "its dates stay claims of the text");
    let on = async |day: &str| client.standing(name, Some(day)).await.map(|(standing, _)| standing);
    assert_eq!(
        (on("2025-04-26").await?.as_str(), on("2025-04-27").await?.as_str()),
        ("NOT_ISSUED", "IN_FORCE")
    );
    let repeal = |from: &str| LifeAct::Repeal {
        from: jiyao_calendar::parse_iso(from).unwrap(),
        document: "临政发〔2026〕1号".into(),
        reason: "过时".into(),
    };
    client.step(name, repeal("2026-01-01"), None).await?;
    assert_eq!(
        (on("2025-12-31").await?.as_str(), on("2026-01-01").await?.as_str()),
        ("IN_FORCE", "REPEALED")
    );
    let wordless = LifeAct::Revoke { document: String::new(), reason: "违法".into() };
    assert_eq!(client.step(name, wordless, None).await.unwrap_err().fields(), ["document"]);
    client
        .step(name, LifeAct::Revoke { document: "省政发〔2026〕1号".into(), reason: "违法".into() }, None)
        .await?;
    assert_eq!((on("2025-04-27").await?.as_str(), on("2026-01-01").await?.as_str()), ("REVOKED", "REVOKED"));
    assert_eq!(reason(client.pick_matters(name).await), "NOT_ISSUED");
    let wrong = house.draft("一、误登\n").await?;
    let voided = client.step(&wrong.name, LifeAct::Void { reason: "误登".into() }, None).await?;
    assert_eq!((client.standing(&wrong.name, None).await?.0.as_str(), voided.life.version), ("VOIDED", 1));
    assert_eq!(reason(client.step(&wrong.name, submit(), None).await), "STATE_FORBIDS");
    assert_eq!(client.minutes_text(&wrong.name).await?, "一、误登\n".as_bytes(), "it stays readable");
    house.services.stop().await
}

#[tokio::test]
async fn req_18_19_major_decisions_and_secrets_have_their_checks() -> Result<()> {
    let house = House::new().await?;
    let mut raw = house.raw().await?;
    let made = house.draft(&draft()).await?;
    let code = |refused: tonic::Status| jiyao_wire::from_status(&refused).reason.unwrap().to_string();
    let secrecy = wire::SetSecrecyRequest {
        name: made.name.clone(),
        secrecy: Some(wire::Secrecy {
            level: wire::SecrecyLevel::Secret.into(),
            years: 5,
            condition: String::new(),
        }),
        reason: "定密".into(),
        ..Default::default()
    };
    assert_eq!(code(raw.set_secrecy(secrecy).await.unwrap_err()), "SECRET_REFUSED");
    let flag = |date: &str| wire::FlagMajorDecisionRequest {
        name: made.name.clone(),
        item_index: 0,
        review: "合法".into(),
        review_date: date.into(),
        ..Default::default()
    };
    assert_eq!(code(raw.flag_major_decision(flag("2025-04-15")).await.unwrap_err()), "REVIEW_MISSING");
    assert_eq!(code(raw.flag_major_decision(flag("15.4.2025")).await.unwrap_err()), "FIELD_INVALID");
    let flagged = raw.flag_major_decision(flag("2025-04-10")).await?.into_inner().minutes.unwrap();
    assert_eq!(flagged.life.unwrap().major_items, [0]);
    let proposed = wire::ProposeDisclosureRequest {
        name: made.name.clone(),
        disclosure: Some(wire::Disclosure {
            class: wire::DisclosureClass::Withheld.into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let refused = raw.propose_disclosure(proposed).await.unwrap_err();
    assert_eq!(code(refused), "FIELD_REQUIRED");
    house.services.stop().await
}

#[tokio::test]
async fn lives_are_the_same_after_a_rebuild_of_the_state() -> Result<()> {
    let house = House::new().await?;
    let client = house.services.client()?;
    let made = house.draft(&draft()).await?;
    client
        .update_draft(&made.name, draft().replace("市住建局", "市房管局").into_bytes(), false, "改", None)
        .await?;
    let issued = all(&client, &made.name, to_issued()).await?;
    let House { services, folder, .. } = house;
    services.stop().await?;
    fs_err::remove_dir_all(folder.path().join("records").join("state"))?;
    let again = Local::start(folder.path()).await?;
    assert_eq!(again.client()?.minutes(&made.name, None).await?, issued);
    let first =
        again.client()?.compare(Side::Revision(made.name.clone(), 1), Side::Revision(made.name, 2)).await?;
    assert!(!first.is_empty());
    again.stop().await
}

#[tokio::test]
async fn req_17_the_record_of_discussion_is_apart_and_dissent_never_shows_in_the_minutes() -> Result<()> {
    let house = House::new().await?;
    let made = house.draft(&draft()).await?;
    let mut raw = house.raw().await?;
    let by = |name: &str, minutes: &str| {
        let mut request = tonic::Request::new(wire::GetProceedingsRequest { minutes: minutes.to_owned() });
        request.metadata_mut().insert("jiyao-as", name.parse().unwrap());
        request
    };
    let code = |refused: tonic::Status| jiyao_wire::from_status(&refused).reason.unwrap().to_string();
    assert_eq!(code(raw.get_proceedings(by("wang", &made.name)).await.unwrap_err()), "PROCEEDINGS_CLOSED");
    let keep = |item_index| wire::RecordProceedingsRequest {
        minutes: made.name.clone(),
        text: "讨论经过".into(),
        dissents: vec![wire::Dissent {
            item_index, person: "某副市长".into(), words: "不赞成调价".into()
        }],
        readers: vec!["li".into()],
        request_id: String::new(),
    };
    assert_eq!(code(raw.record_proceedings(keep(99)).await.unwrap_err()), "FIELD_INVALID");
    assert_eq!(raw.record_proceedings(keep(2)).await?.into_inner().version, 1);
    let read = raw.get_proceedings(by("li", &made.name)).await?.into_inner().proceedings.unwrap();
    assert_eq!((read.keeper.as_str(), read.dissents[0].words.as_str()), ("local", "不赞成调价"));
    assert_eq!(code(raw.get_proceedings(by("wang", &made.name)).await.unwrap_err()), "PROCEEDINGS_CLOSED");
    let minutes = house.services.client()?.minutes(&made.name, None).await?;
    assert!(!format!("{minutes:?}").contains("不赞成"), "nothing of it is in the minutes");
    assert!(!String::from_utf8(house.services.client()?.minutes_text(&made.name).await?)?.contains("不赞成"));
    house.services.stop().await
}

#[tokio::test]
async fn req_05_06_07_items_documents_and_verdicts_are_kept_apart_and_named() -> Result<()> {
    let house = House::new().await?;
    let made = house.draft(&draft()).await?;
    let mut raw = jiyao_proto::client::records::v1::records_service_client::RecordsServiceClient::connect(
        format!("http://{}", house.services.records),
    )
    .await?;
    let request = wire::GetMinutesRequest { name: made.name, ..Default::default() };
    let minutes = raw.get_minutes(request).await?.into_inner().minutes.unwrap();
    assert_eq!(minutes.document_kind, "纪要");
    let items = &minutes.facts.as_ref().unwrap().items;
    let documents: Vec<_> = items.iter().map(|item| item.documents.len()).collect();
    assert_eq!(documents, [1, 2, 0, 1, 1, 0, 0], "none, one or two a item");
    let kinds: Vec<_> = items.iter().map(|item| item.kinds().collect::<Vec<_>>()).collect();
    assert_eq!(kinds[0], [wire::ItemKind::Deliberate]);
    assert_eq!(kinds[5], [wire::ItemKind::Hear]);
    for decision in items.iter().flat_map(|item| &item.decisions) {
        assert_eq!(decision.verdict(), wire::Verdict::InPrinciple);
        assert_eq!(decision.outcome.as_ref().unwrap().value, "原则同意");
    }
    assert!(
        items.iter().any(|item| item.decisions.is_empty()),
        "an item may have no verdict, and that is no finding"
    );
    house.services.stop().await
}

/// The sample with another number of this year.
fn numbered_as(sequence: u32) -> String {
    let now = jiyao_calendar::Clock::now(&jiyao_calendar::SystemClock);
    let year = jiyao_calendar::civil_date(now, "Asia/Shanghai").year();
    SAMPLE
        .replace("〔2025〕9号", &format!("〔{year}〕{sequence}号"))
        .replace("第42次", &format!("第{sequence}次"))
}

#[tokio::test]
async fn req_14_what_was_signed_is_not_changed_as_formatting() -> Result<()> {
    let house = House::new().await?;
    let client = house.services.client()?;
    let name = house.draft(&draft()).await?.name;
    all(&client, &name, to_proofread()).await?;
    client.step(&name, register(), None).await?;
    let format =
        async |text: &str| client.update_draft(&name, text.as_bytes().to_vec(), true, "调整行距", None).await;
    let people = draft();
    let somebody = people.find("方知远").map(|at| &people[at..at + "方知远".len()]).unwrap();
    let changes = [
        ("原则同意《临岚市城市更新", "不同意《临岚市城市更新"),
        ("由市住建局根据", "由市城管局根据"),
        (somebody, "方知近"),
        ("2025年4月15日下午", "2025年4月16日下午"),
        ("此件公开发布", "此件不予公开"),
        ("要先摸清家底", "要先摸清底数"),
        ("各县、区人民政府", "各县人民政府"),
    ];
    for (from, to) in changes {
        let changed = draft().replacen(from, to, 1);
        assert_ne!(changed, draft(), "{from}");
        let refused = format(&changed).await.unwrap_err();
        let said: String = ["what", "before", "after"].iter().map(|key| &*refused.metadata()[*key]).collect();
        assert_eq!(
            refused.reason().map(|reason| reason.as_str()),
            Some("CONTENT_CHANGED"),
            "{from}: {refused}"
        );
        assert!(
            said.len() > 3 && refused.message().contains(&refused.metadata()["what"]),
            "{from}: {refused}"
        );
    }
    let appended = format!("{}\n（四）给予某公司专项补贴5000万元。\n", draft().trim_end());
    assert_eq!(reason(format(&appended).await), "CONTENT_CHANGED", "nothing comes in addition");
    let kept = client.minutes(&name, None).await?;
    assert_eq!((kept.revision, kept.life.stage), (1, Stage::Registered), "nothing was written");

    // White space, and the number that it was given, are setting.
    let set = draft().replace("\n会议议定以下意见", "\n\n  会议议定以下意见");
    let set = set.replacen("纪要\n", &format!("纪要\n{}\n", kept.life.number), 1);
    assert!(set.contains(&kept.life.number));
    assert_eq!(format(&set).await?.life.stage, Stage::Registered);
    let again = format(&set.replace("由市住建局根据", "由市城管局根据")).await;
    assert_eq!(
        reason(again),
        "CONTENT_CHANGED",
        "it is held against what was signed, not against the last setting"
    );
    house.services.stop().await
}

#[tokio::test]
async fn a_ruling_that_is_not_said_is_none() -> Result<()> {
    let house = House::new().await?;
    let client = house.services.client()?;
    let name = house.draft(&draft()).await?.name;
    client.step(&name, submit(), None).await?;
    let review = |decision: i32| wire::ReviewMinutesRequest {
        name: name.clone(),
        post: "秘书长".into(),
        mark: wire::Mark::Words.into(),
        opinion: "同意".into(),
        decision,
        ..Default::default()
    };
    let mut raw = house.raw().await?;
    for (decision, wanted) in [(0, "FIELD_REQUIRED"), (99, "FIELD_INVALID")] {
        let refused = jiyao_wire::from_status(&raw.review_minutes(review(decision)).await.unwrap_err());
        assert_eq!(refused.reason.map(|reason| reason.to_string()).as_deref(), Some(wanted));
        assert_eq!(refused.fields, ["decision"]);
    }
    assert_eq!(client.minutes(&name, None).await?.life.history.len(), 1, "nothing happened");
    raw.review_minutes(review(wire::Ruling::Approved.into())).await?;
    assert_eq!(client.minutes(&name, None).await?.life.stage, Stage::Reviewed);
    let mut matters = MattersServiceClient::connect(format!("http://{}", house.services.records)).await?;
    let request = wire::ReviewMatterRequest {
        name: format!("{}/matters/01a22d27-ac0d-75d1-a731-f0093d0687fc", house.organ),
        reason: "材料齐全".into(),
        ..Default::default()
    };
    let refused = jiyao_wire::from_status(&matters.review_matter(request).await.unwrap_err());
    assert_eq!(refused.fields, ["decision"]);
    house.services.stop().await
}

#[tokio::test]
async fn minutes_that_got_their_number_here_are_found_by_it() -> Result<()> {
    let house = House::new().await?;
    let client = house.services.client()?;
    let name = house.draft(&draft()).await?.name;
    all(&client, &name, to_proofread()).await?;
    let number = client.step(&name, register(), None).await?.life.number;
    let list = async |number: &str| {
        let wanted = ListMinutes { document_number: Some(number.into()), ..ListMinutes::of(&house.organ) };
        anyhow::Ok(client.list_minutes(wanted).await?.entries)
    };
    let typed = number.replace('〔', "[").replace('〕', "]");
    for number in [&number, &typed] {
        let found = list(number).await?;
        assert_eq!(found.len(), 1, "{number}");
        assert_eq!(found[0].name, name);
        let hits = client.search_minutes(&house.organ, number, None).await?.entries;
        assert_eq!(hits.iter().map(|(found, _)| &found.name).collect::<Vec<_>>(), [&name], "{number}");
    }
    let summary = &list(&number).await?[0];
    assert_eq!((summary.document_number.as_str(), summary.stage), (number.as_str(), Some(Stage::Registered)));
    assert_eq!(list("〔2026〕777号").await?, []);
    house.services.stop().await
}

#[tokio::test]
async fn an_import_that_was_withdrawn_does_not_move_the_counter() -> Result<()> {
    let house = House::new().await?;
    let client = house.services.client()?;
    let registered = async |n: usize| {
        let text = draft().replace("第42次", &format!("第{}次", 100 + n));
        let name = house.draft(&text).await?.name;
        all(&client, &name, to_proofread()).await?;
        anyhow::Ok(client.step(&name, register(), None).await?.life.number)
    };
    assert!(registered(1).await?.ends_with("〕1号"));
    let mistyped = Import::new(&house.organ, numbered_as(900).into_bytes());
    let mistyped = client.import_minutes(mistyped).await?.minutes.name;
    client.step(&mistyped, LifeAct::Void { reason: "录入错误".into() }, None).await?;
    let next = registered(2).await?;
    assert!(next.ends_with("〕2号"), "{next}");
    // An import that stays counts, by the number that it has in the end.
    let typed = Import::new(&house.organ, numbered_as(800).into_bytes());
    let typed = client.import_minutes(typed).await?.minutes;
    let number = typed.facts.document_number.as_ref().map(|number| number.value.clone()).unwrap_or_default();
    let settle =
        Settle { value: number.replace("800", "30"), reason: "录入错误".into(), ..Settle::default() };
    client.correct_fact(&typed.name, "document_number", settle).await?;
    let next = registered(3).await?;
    assert!(next.ends_with("〕31号"), "{next}");
    // A number that was given here is used up, whatever became of its minutes.
    let text = draft().replace("第42次", "第104次");
    let name = house.draft(&text).await?.name;
    all(&client, &name, to_issued()).await?;
    assert!(client.minutes(&name, None).await?.life.number.ends_with("〕32号"));
    client.step(&name, LifeAct::Void { reason: "作废".into() }, None).await?;
    let next = registered(5).await?;
    assert!(next.ends_with("〕33号"), "{next}");
    // What was withdrawn gives its number back once: whoever got it since keeps it, whatever is set right of the other.
    let withdrawn = Import::new(&house.organ, numbered_as(34).into_bytes());
    let withdrawn = client.import_minutes(withdrawn).await?.minutes;
    client.step(&withdrawn.name, LifeAct::Void { reason: "录入错误".into() }, None).await?;
    let next = registered(6).await?;
    assert!(next.ends_with("〕34号"), "{next}");
    let number = withdrawn.facts.document_number.map(|number| number.value).unwrap_or_default();
    let settle =
        Settle { value: number.replace("34号", "3号"), reason: "录入错误".into(), ..Settle::default() };
    client.correct_fact(&withdrawn.name, "document_number", settle).await?;
    let next = registered(7).await?;
    assert!(next.ends_with("〕35号"), "{next}");
    house.services.stop().await
}

#[tokio::test]
async fn what_a_correction_replaced_is_in_force_again_once_that_is_revoked() -> Result<()> {
    let house = House::new().await?;
    let client = house.services.client()?;
    let name = house.draft(&draft()).await?.name;
    all(&client, &name, to_issued()).await?;
    let corrected = async |of: &str, lead: &str| {
        let text = draft().replace("由市住建局", &format!("由{lead}")).into_bytes();
        let import = Import {
            standing: Standing::Draft,
            corrects: Some(of.to_owned()),
            ..Import::new(&house.organ, text)
        };
        let new = client.import_minutes(import).await?.minutes.name;
        all(&client, &new, to_issued()).await?;
        anyhow::Ok(new)
    };
    let revoke = async |name: &str| {
        let act =
            LifeAct::Revoke { document: "临政发〔2026〕3号".into(), reason: "更正有误".into() };
        client.step(name, act, None).await
    };
    let new = corrected(&name, "市房管局").await?;
    assert_eq!(client.standing(&name, None).await?, ("REPLACED".to_owned(), new.clone()));
    revoke(&new).await?;
    assert_eq!(client.standing(&new, None).await?.0, "REVOKED");
    assert_eq!(client.standing(&name, None).await?, ("IN_FORCE".to_owned(), String::new()));
    let acts = client.minutes(&name, None).await?.life.history;
    assert_eq!(
        acts.iter().rev().take(2).map(|entry| &*entry.act).collect::<Vec<_>>(),
        ["REINSTATE", "REPLACE"]
    );

    // One of three in a row is in force, whichever goes first.
    let second = corrected(&name, "市水务局").await?;
    let third = corrected(&second, "市教育局").await?;
    revoke(&second).await?;
    assert_eq!(client.standing(&name, None).await?.0, "REPLACED");
    assert_eq!(client.standing(&third, None).await?.0, "IN_FORCE");
    revoke(&third).await?;
    assert_eq!(client.standing(&name, None).await?, ("IN_FORCE".to_owned(), String::new()));
    house.services.stop().await
}

/// The directory says who acts in a post, in records too; nobody acts in a post that nobody holds.
#[tokio::test]
async fn req_12_the_directory_says_who_holds_a_post() -> Result<()> {
    let folder = TempDir::new()?;
    let services = Local::start_joined(folder.path(), |_| {}).await?;
    let client = services.client()?;
    let organ = client.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?.name;
    let import = Import { standing: Standing::Draft, ..Import::new(&organ, draft().into_bytes()) };
    let name = client.import_minutes(import).await?.minutes.name;
    client.step(&name, submit(), None).await?;
    let person = |who: &str| {
        Client::builder().records(format!("http://{}", services.records)).acting_as(who, "").build()
    };
    for who in ["local", "秘书长", ""] {
        let refused = person(who)?.step(&name, review(true), None).await;
        assert_eq!(reason(refused), "POST_FORBIDS", "nobody holds it, nor does {who:?}");
    }
    client.import_directory(&organ, DIRECTORY.as_bytes().to_vec(), false).await?;
    until("records hears of it", async || Ok(person("秘书长")?.step(&name, review(true), None).await.ok()))
        .await?;
    assert_eq!(reason(person("秘书长")?.step(&name, sign(), None).await), "POST_FORBIDS");
    assert_eq!(person("市长")?.step(&name, sign(), None).await?.life.stage, Stage::Signed);
    services.stop().await
}
