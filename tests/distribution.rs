//! Distribution over the services: requirements 36 to 50 as users meet them.

use std::time::Duration;

use anyhow::{Result, bail};
use jiyao_calendar::{Clock as _, SystemClock, civil_date, days_later};
use jiyao_client::{
    AgendaItem, Channel, Client, Delivery, DeliveryAct, DeliveryState, Disclosure, DisclosureClass,
    DisclosureRequest, Error, FreezeScope, Import, Key, LifeAct, Mark, MeetingAct, NewMatter, NewMeeting,
    Passage, Quorum, Rejected, RequestAct, SeatAct, Standing, verify_receipt,
};
use jiyao_testkit::{DIRECTORY, Local, SAMPLE, until};
use tempfile::TempDir;

pub(crate) const UNIT: &str = "市教育局";

/// The sample as its drafter has it: without number and dates that only acts give.
pub(crate) fn draft() -> String {
    let dated = |line: &str| line.contains("整理") || line == "〔2025〕9号" || line == "2025年4月24日";
    SAMPLE.lines().filter(|line| !dated(line.trim())).map(|line| format!("{line}\n")).collect()
}

/// A text with the note (附注) of a class.
pub(crate) fn noted(text: &str, class: DisclosureClass) -> String {
    text.replace(DisclosureClass::Public.note(), class.note())
}

pub(crate) struct House {
    pub(crate) services: Local,
    pub(crate) client: Client,
    pub(crate) organ: String,
    pub(crate) folder: TempDir,
}

fn reason<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.unwrap_err().reason().map(|reason| reason.to_string()).unwrap_or_default()
}

fn today() -> String {
    civil_date(SystemClock.now(), "Asia/Shanghai").to_string()
}

pub(crate) fn disclosure(class: DisclosureClass) -> Disclosure {
    let (reason, article) = match class {
        DisclosureClass::Public => (String::new(), String::new()),
        _ => ("内部事务".into(), "第十六条".into()),
    };
    Disclosure { class, reason, article }
}

pub(crate) fn to_registered(class: DisclosureClass) -> Vec<LifeAct> {
    vec![
        LifeAct::Submit { opinion: "请审".into() },
        LifeAct::Review {
            post: "秘书长".into(), mark: Mark::Words, opinion: "同意".into(), approve: true
        },
        LifeAct::Sign {
            post: "市长".into(),
            mark: Mark::Words,
            opinion: "签发".into(),
            date: None,
            disclosure: Some(disclosure(class)),
        },
        LifeAct::Proofread { opinion: String::new() },
        LifeAct::Register {
            series: String::new(),
            number: String::new(),
            copies: 60,
            scope: "见分送".into(),
        },
        LifeAct::Print { copies: 60 },
        LifeAct::RecordQuorum { outcome: Quorum::Met, reason: "8/9".into() },
    ]
}

/// A draft that was signed and registered.
pub(crate) async fn drafted(client: &Client, text: &str, class: DisclosureClass) -> Result<String> {
    let text = noted(text, class);
    let import = Import { standing: Standing::Draft, ..Import::new("organs/linlan", text.into_bytes()) };
    let name = client.import_minutes(import).await?.minutes.name;
    for act in to_registered(class) {
        client.step(&name, act, None).await?;
    }
    Ok(name)
}

pub(crate) fn freeze(minutes: &str) -> FreezeScope {
    FreezeScope { minutes: minutes.to_owned(), date: today(), ..FreezeScope::default() }
}

/// Freezes, once distribution has heard of the minutes and of the directory.
pub(crate) async fn frozen(client: &Client, freeze: FreezeScope) -> Result<jiyao_client::FrozenScope> {
    until("freeze", async || match client.freeze_scope(freeze.clone()).await {
        Err(error) => match error.reason().map(|reason| reason.to_string()).as_deref() {
            // The last: it has not heard of the registration yet.
            Some("NOT_STATED" | "NOT_CAUGHT_UP" | "CLASS_EMPTY" | "UNIT_NOT_FOUND" | "STATE_FORBIDS") => {
                Ok(None)
            }
            _ => Err(error.into()),
        },
        Ok(scope) => Ok(Some(scope)),
    })
    .await
}

/// Issues, once records has heard of the scope.
pub(crate) async fn issue(client: &Client, minutes: &str) -> Result<()> {
    until("issue", async || match client.step(minutes, LifeAct::Issue, None).await {
        Err(error) if error.reason().is_some_and(|reason| reason.as_str() == "SCOPE_NOT_FROZEN") => Ok(None),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(Some(())),
    })
    .await
}

impl House {
    pub(crate) async fn new() -> Result<Self> {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut jiyao_testkit::DistributionConfig)) -> Result<Self> {
        let folder = TempDir::new()?;
        let services = Local::start_joined(folder.path(), change).await?;
        Self::around(services, folder).await
    }

    /// An organ with its directory in services that have nothing yet.
    pub(crate) async fn around(services: Local, folder: TempDir) -> Result<Self> {
        let client = services.client()?;
        let organ = client.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?.name;
        client.import_directory(&organ, DIRECTORY.as_bytes().to_vec(), false).await?;
        services.hold_posts(&organ, "local", None).await?;
        Ok(Self { services, client, organ, folder })
    }

    pub(crate) fn as_unit(&self, unit: &str) -> Result<Client> {
        Ok(Client::builder()
            .records(format!("http://{}", self.services.records))
            .attendance(format!("http://{}", self.services.attendance))
            .distribution(format!("http://{}", self.services.distribution))
            .acting_as("联络员", unit)
            .build()?)
    }

    pub(crate) async fn drafted(&self, text: &str, class: DisclosureClass) -> Result<String> {
        drafted(&self.client, text, class).await
    }

    pub(crate) fn freeze(&self, minutes: &str) -> FreezeScope {
        freeze(minutes)
    }

    pub(crate) async fn frozen(&self, freeze: FreezeScope) -> Result<jiyao_client::FrozenScope> {
        frozen(&self.client, freeze).await
    }

    pub(crate) async fn issue(&self, minutes: &str) -> Result<()> {
        issue(&self.client, minutes).await
    }

    pub(crate) async fn deliveries(&self, minutes: &str, count: usize) -> Result<Vec<Delivery>> {
        until("deliveries", async || {
            let found = self.client.list_deliveries(minutes, false, None).await?.entries;
            Ok((found.len() >= count).then_some(found))
        })
        .await
    }

    pub(crate) async fn issued(&self) -> Result<(String, Vec<Delivery>)> {
        let minutes = self.drafted(&draft(), DisclosureClass::Public).await?;
        let scope = self.frozen(self.freeze(&minutes)).await?;
        self.issue(&minutes).await?;
        let deliveries = self.deliveries(&minutes, scope.total as usize).await?;
        Ok((minutes, deliveries))
    }
}

pub(crate) fn of<'d>(deliveries: &'d [Delivery], unit: &str) -> &'d Delivery {
    deliveries.iter().find(|delivery| delivery.title == unit).unwrap()
}

pub(crate) fn sign(delivery: &Delivery) -> DeliveryAct {
    DeliveryAct::Sign {
        attempt: delivery.attempt,
        sha256: delivery.sha256.clone(),
        signer: "章树声".into(),
        claim_signature: String::new(),
    }
}

#[tokio::test]
async fn req_36_37_the_scope_is_expanded_frozen_and_bound_to_the_issue() -> Result<()> {
    let house = House::new().await?;
    let client = &house.client;
    let minutes = house.drafted(&draft(), DisclosureClass::Public).await?;
    assert_eq!(reason(client.step(&minutes, LifeAct::Issue, None).await), "SCOPE_NOT_FROZEN");
    let past = FreezeScope { date: "2020-01-01".into(), ..house.freeze(&minutes) };
    let tomorrow = days_later(civil_date(SystemClock.now(), "Asia/Shanghai"), 1).to_string();
    let other_day = house.frozen(FreezeScope { date: tomorrow, ..house.freeze(&minutes) }).await?;
    assert_eq!(reason(client.freeze_scope(past).await), "FIELD_INVALID");
    let nobody = FreezeScope { extra: vec!["市畜牧局".into()], ..house.freeze(&minutes) };
    assert_eq!(reason(client.freeze_scope(nobody).await), "UNIT_NOT_FOUND");
    let nowhere = format!("{}/minutes/018f2f6e-7c1c-7aaa-8bbb-0123456789ab", house.organ);
    assert_eq!(reason(client.freeze_scope(house.freeze(&nowhere)).await), "NOT_STATED");
    // Frozen for another day is not frozen for today.
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(reason(client.step(&minutes, LifeAct::Issue, None).await), "SCOPE_NOT_FROZEN");
    let scope = house.frozen(house.freeze(&minutes)).await?;
    assert_ne!(scope.hash, other_day.hash);
    let via =
        |title: &str| scope.targets.iter().find(|(found, _)| found == title).map(|(_, via)| via.as_str());
    assert_eq!(via("东渡区"), Some("各县、区人民政府"));
    assert_eq!(via("青禾开发区管委会"), Some("青禾开发区管委会"));
    assert_eq!(via(UNIT), Some("市各有关部门和单位"));
    // The directory moves on; the frozen expansion does not.
    let more = "type,id,title,classes\nunit,new,市数据局,市各有关部门和单位\n";
    client.import_directory(&house.organ, more.as_bytes().to_vec(), false).await?;
    house.issue(&minutes).await?;
    let deliveries = house.deliveries(&minutes, scope.total as usize).await?;
    assert_eq!(deliveries.len(), scope.total as usize);
    assert!(!deliveries.iter().any(|delivery| delivery.title == "市数据局"));
    assert!(deliveries.iter().all(|delivery| delivery.state == DeliveryState::Sent && delivery.attempt == 1));
    assert_eq!(reason(client.freeze_scope(house.freeze(&minutes)).await), "SCOPE_FROZEN");

    // A recipient that is added later needs an approval, and is on record with it.
    assert_eq!(reason(client.add_recipient(&minutes, "new", " ", "新设").await), "FIELD_REQUIRED");
    assert_eq!(reason(client.add_recipient(&minutes, "nobody", "市长", "新设").await), "UNIT_NOT_FOUND");
    let added = client.add_recipient(&minutes, "new", "市长", "新设机构").await?;
    assert_eq!((added.title.as_str(), added.state), ("市数据局", DeliveryState::Sent));
    assert_eq!(reason(client.add_recipient(&minutes, "new", "市长", "再加").await), "FIELD_INVALID");
    house.services.stop().await
}

#[tokio::test]
async fn req_36_a_class_that_stands_for_nobody_is_refused() -> Result<()> {
    let house = House::new().await?;
    let text = draft().replace("市各\n有关部门和单位", "各\n乡镇人民政府");
    let minutes = house.drafted(&text, DisclosureClass::Public).await?;
    let refused = until("refusal", async || {
        let refused = house.client.freeze_scope(house.freeze(&minutes)).await.unwrap_err();
        let reason = refused.reason().map(|reason| reason.to_string()).unwrap_or_default();
        let class = refused.metadata().get("class").cloned();
        Ok((reason == "CLASS_EMPTY")
            .then_some(class)
            .filter(|class| class.as_deref() == Some("各乡镇人民政府")))
    });
    refused.await?;
    house.services.stop().await
}

#[tokio::test]
async fn req_39_40_a_unit_opens_and_signs_and_its_receipts_prove_it_offline() -> Result<()> {
    let house = House::new().await?;
    let (minutes, deliveries) = house.issued().await?;
    let (client, mine) = (&house.client, of(&deliveries, UNIT));
    let unit = house.as_unit(UNIT)?;
    let inbox = unit.inbox(&house.organ, UNIT, None).await?.entries;
    assert_eq!(inbox, std::slice::from_ref(mine));
    let foreign = house.as_unit("市财政局")?;
    assert_eq!(reason(foreign.inbox(&house.organ, UNIT, None).await), "UNIT_FOREIGN");
    assert_eq!(reason(unit.inbox(&house.organ, "没有局", None).await), "UNIT_NOT_FOUND");
    assert_eq!(reason(foreign.open_delivery(&mine.name).await), "UNIT_FOREIGN");
    assert_eq!(reason(foreign.deliver(&mine.name, sign(mine), None).await), "UNIT_FOREIGN");
    assert_eq!(reason(client.deliver(&mine.name, sign(mine), None).await), "UNIT_FOREIGN", "nor the office");
    let (bytes, opened) = unit.open_delivery(&mine.name).await?;
    assert_eq!(bytes, draft().as_bytes(), "the exact bytes");
    assert_eq!(opened.state, DeliveryState::Received);
    let wrong = DeliveryAct::Sign {
        attempt: 1,
        sha256: "00".repeat(32),
        signer: "章".into(),
        claim_signature: String::new(),
    };
    assert_eq!(reason(unit.deliver(&mine.name, wrong, None).await), "HASH_MISMATCH");
    let old = Delivery { attempt: 7, ..mine.clone() };
    assert_eq!(reason(unit.deliver(&mine.name, sign(&old), None).await), "ATTEMPT_STALE");
    let signed = unit.deliver(&mine.name, sign(mine), None).await?;
    assert_eq!(
        (signed.state, signed.signer.as_str(), signed.signed_unit.as_str()),
        (DeliveryState::Signed, "章树声", UNIT)
    );
    let receipts = client.receipts(&mine.name).await?;
    assert_eq!(unit.deliver(&mine.name, sign(mine), None).await?, signed, "twice is once");
    assert_eq!(client.receipts(&mine.name).await?, receipts);
    assert_eq!(unit.inbox(&house.organ, UNIT, None).await?.entries, []);

    let keys = client.public_keys("receipt").await?;
    let kinds: Vec<_> =
        receipts.iter().map(|one| verify_receipt(one, &keys).map(|said| said.kind.as_str())).collect();
    assert_eq!(kinds, [Ok("opened"), Ok("signed-for")]);
    let said = verify_receipt(&receipts[1], &keys)?;
    assert_eq!((said.recipient.as_str(), said.minutes.as_str(), said.attempt), (UNIT, minutes.as_str(), 1));
    assert_eq!(said.sha256, mine.sha256);
    let stranger = Key::from_seed(&[9; 32]).public();
    assert!(matches!(verify_receipt(&receipts[1], &[stranger]), Err(Rejected::UnknownKey(_))));
    with_openssl(&receipts[1], &keys[0].bytes())?;

    // What is signed stays over a rebuild of the state.
    let House { services, folder, .. } = house;
    services.stop().await?;
    fs_err::remove_dir_all(folder.path().join("distribution/state"))?;
    let services = Local::start_joined(folder.path(), |_| {}).await?;
    let client = services.client()?;
    assert_eq!(client.delivery(&signed.name).await?, signed);
    assert_eq!(client.receipts(&signed.name).await?, receipts);
    services.stop().await
}

/// A verifier that is not of this project accepts a receipt: OpenSSL, by the rules of DSSE alone.
fn with_openssl(receipt: &str, key: &[u8; 32]) -> Result<()> {
    use std::process::Command;
    if Command::new("openssl").arg("version").output().is_err() {
        if std::env::var_os("CI").is_some() {
            bail!("openssl is not at hand");
        }
        eprintln!("skipped: openssl is not at hand");
        return Ok(());
    }
    let folder = TempDir::new()?;
    let envelope: serde_json::Value = serde_json::from_str(receipt)?;
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let decode = |name: &str, base64: &str| -> Result<Vec<u8>> {
        let file = folder.path().join(name);
        fs_err::write(&file, base64)?;
        Ok(Command::new("openssl").args(["base64", "-d", "-A", "-in"]).arg(&file).output()?.stdout)
    };
    let payload = decode("payload", &text(&envelope["payload"]))?;
    let signature = decode("sig", &text(&envelope["signatures"][0]["sig"]))?;
    let kind = text(&envelope["payloadType"]);
    let mut signed = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    signed.extend(&payload);
    // SubjectPublicKeyInfo of an Ed25519 key is these twelve bytes and the key.
    let spki = [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00][..], key].concat();
    let at = |name: &str| folder.path().join(name).display().to_string();
    fs_err::write(at("key.der"), spki)?;
    fs_err::write(at("signed"), &signed)?;
    fs_err::write(at("signature"), signature)?;
    let verify = || {
        Command::new("openssl")
            .args(["pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-rawin", "-inkey", &at("key.der")])
            .args(["-in", &at("signed"), "-sigfile", &at("signature")])
            .output()
    };
    let output = verify()?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    signed[40] ^= 1;
    fs_err::write(at("signed"), &signed)?;
    anyhow::ensure!(!verify()?.status.success(), "an altered statement is accepted");
    Ok(())
}

#[tokio::test]
async fn req_41_42_returns_reminders_silence_and_resending() -> Result<()> {
    let house = House::with(|config| config.unreceived_hours = 0).await?;
    let (minutes, deliveries) = house.issued().await?;
    let (client, unit) = (&house.client, house.as_unit(UNIT)?);
    let mine = of(&deliveries, UNIT);
    let back = |codes: &[&str], text: &str| DeliveryAct::Return {
        attempt: 1,
        codes: codes.iter().map(|code| (*code).to_owned()).collect(),
        text: text.into(),
    };
    assert_eq!(reason(unit.deliver(&mine.name, back(&[], ""), None).await), "FIELD_REQUIRED");
    assert_eq!(reason(unit.deliver(&mine.name, back(&["11"], "为什么"), None).await), "FIELD_INVALID");
    assert_eq!(reason(unit.deliver(&mine.name, back(&["99"], ""), None).await), "FIELD_REQUIRED");
    let mut told = client.watch_deliveries(&house.organ, Some(DeliveryState::Returned), None);
    let returned = unit.deliver(&mine.name, back(&["13", "99"], "附件打不开"), None).await?;
    assert_eq!(returned.state, DeliveryState::Returned);
    let heard = loop {
        if let [heard] = told.next().await?.changes.as_slice() {
            break heard.clone();
        }
    };
    assert_eq!(heard.returned, Some((vec!["13".into(), "99".into()], "附件打不开".into())), "told at once");
    assert_eq!(heard.name, mine.name);
    let remind = DeliveryAct::Remind { text: "请于今日签收".into() };
    assert_eq!(reason(client.deliver(&mine.name, remind.clone(), None).await), "STATE_FORBIDS");
    let again = client.deliver(&mine.name, DeliveryAct::Resend { reason: "已更换附件".into() }, None).await?;
    assert_eq!((again.state, again.attempt), (DeliveryState::Sent, 2));
    assert_eq!(reason(unit.deliver(&mine.name, sign(mine), None).await), "ATTEMPT_STALE");
    let reminded = client.deliver(&mine.name, remind, None).await?;
    assert!(reminded.reminders.len() == 1 && reminded.reminders[0].ends_with("请于今日签收"), "{reminded:?}");
    unit.deliver(&mine.name, sign(&again), None).await?;

    let silent = client.list_deliveries(&minutes, true, None).await?.entries;
    assert_eq!(silent.len(), deliveries.len() - 1);
    assert!(!silent.iter().any(|delivery| delivery.title == UNIT));
    assert_eq!(
        client.list_silent(&house.organ, true, None).await?.entries.len(),
        silent.len(),
        "nobody received"
    );
    house.as_unit("市财政局")?.open_delivery(&of(&deliveries, "市财政局").name).await?;
    assert_eq!(client.list_silent(&house.organ, true, None).await?.entries.len(), silent.len() - 1);
    assert_eq!(client.list_silent(&house.organ, false, None).await?.entries.len(), silent.len());
    let counts = client.delivery_counts(&minutes).await?;
    assert!(
        counts.contains(&(DeliveryState::Signed, 1)) && counts.contains(&(DeliveryState::Received, 1)),
        "{counts:?}"
    );
    let nowhere = format!("{}/deliveries/018f2f6e-7c1c-7aaa-8bbb-0123456789ab", house.organ);
    assert_eq!(reason(client.delivery(&nowhere).await), "DELIVERY_NOT_FOUND");

    // Several signatures in one call, each taken or refused by itself.
    let finance = house.as_unit("市财政局")?;
    let finance_s = of(&deliveries, "市财政局");
    let batch = |delivery: &Delivery, sha256: &str| {
        (delivery.name.clone(), delivery.attempt, sha256.to_owned(), "江流".to_owned())
    };
    let outcomes = finance
        .sign_deliveries(&[
            batch(of(&deliveries, "市审计局"), &finance_s.sha256),
            batch(finance_s, &"00".repeat(32)),
            batch(finance_s, &finance_s.sha256.to_uppercase()),
            batch(finance_s, ""),
            batch(finance_s, &finance_s.sha256),
        ])
        .await?;
    let outcomes: Vec<_> = outcomes.into_iter().map(|one| one.map(|delivery| delivery.state)).collect();
    assert_eq!(
        outcomes,
        [
            Err("UNIT_FOREIGN".into()),
            Err("HASH_MISMATCH".into()),
            Err("FIELD_INVALID".into()),
            Err("FIELD_REQUIRED".into()),
            Ok(DeliveryState::Signed)
        ]
    );
    house.services.stop().await
}

#[tokio::test]
async fn a_unit_that_was_reorganised_is_answered_for_by_what_took_its_place() -> Result<()> {
    let house = House::new().await?;
    let (_, deliveries) = house.issued().await?;
    let mine = of(&deliveries, UNIT);
    let yesterday = days_later(civil_date(SystemClock.now(), "Asia/Shanghai"), -1);
    let id = DIRECTORY
        .lines()
        .find(|line| line.contains(&format!(",{UNIT},")))
        .and_then(|line| line.split(',').nth(1));
    let id = id.unwrap_or_default();
    // Both are there; one of them signs with a key.
    let table =
        format!("type,id,title,classes,from\nunit,edu-sport,市教育体育局,市各有关部门和单位,{}\n", today());
    house.client.import_directory(&house.organ, table.into_bytes(), false).await?;
    let successor = house.as_unit("市教育体育局")?;
    until("the successor", async || Ok(successor.inbox(&house.organ, "市教育体育局", None).await.ok()))
        .await?;
    let mut watch = successor.watch_inbox(&house.organ, "市教育体育局", None);
    let key = jiyao_client::Key::from_seed(&[5; 32]).public().webhook_text();
    let address = jiyao_client::DeliveryAddress { unit: id.into(), key, ..Default::default() };
    house.client.set_address(&house.organ, address).await?;
    let change = format!(
        "type,id,title,classes,from,until,successors\n\
         unit,{id},{UNIT},市各有关部门和单位,,{yesterday},edu-sport\n\
         unit,edu-sport,市教育体育局,市各有关部门和单位,{},,\n",
        today()
    );
    house.client.import_directory(&house.organ, change.into_bytes(), false).await?;
    let inbox = until("the successor's inbox", async || {
        match successor.inbox(&house.organ, "市教育体育局", None).await {
            Ok(page) if !page.entries.is_empty() => Ok(Some(page.entries)),
            _ => Ok(None),
        }
    })
    .await?;
    assert_eq!(inbox[0].name, mine.name);
    assert_eq!(reason(house.as_unit(UNIT)?.deliver(&mine.name, sign(mine), None).await), "UNIT_FOREIGN");
    let signed = successor.deliver(&mine.name, sign(mine), None).await?;
    assert_eq!((signed.title.as_str(), signed.signed_unit.as_str()), (UNIT, "市教育体育局"));
    let mut seen = Vec::new();
    while seen.is_empty() {
        seen.extend(watch.next().await?.changes.into_iter().map(|delivery| delivery.name));
    }
    assert_eq!(seen, [mine.name.as_str()], "a stream that was open before");
    house.services.stop().await
}

#[tokio::test]
async fn req_15_a_correction_goes_to_exactly_those_who_hold_the_old_text() -> Result<()> {
    let house = House::new().await?;
    let client = &house.client;
    let (old, deliveries) = house.issued().await?;
    let mine = of(&deliveries, UNIT);
    house.as_unit(UNIT)?.deliver(&mine.name, sign(mine), None).await?;
    let gone = of(&deliveries, "市财政局");
    client.deliver(&gone.name, DeliveryAct::Recall { reason: "误发".into() }, None).await?;
    // It lay in the inbox before it went another way: the unit may have it.
    let turned = of(&deliveries, "市审计局");
    let to_paper = DeliveryAct::Redirect { channel: Channel::Paper, reason: "改送纸质件".into() };
    client.deliver(&turned.name, to_paper, None).await?;
    let number = client.minutes(&old, None).await?.life.number;
    // The corrected text names another list: none of the classes.
    let text = draft().replace("各县、区人民政府，", "").replace("；市各\n有关部门和单位", "")
        + &format!("\n{number}\n");
    let import = Import {
        standing: Standing::Draft,
        corrects: Some(old.clone()),
        ..Import::new(&house.organ, text.replace(&number, "").into_bytes())
    };
    let new = client.import_minutes(import).await?.minutes.name;
    for act in to_registered(DisclosureClass::Public) {
        client.step(&new, act, None).await?;
    }
    let scope = house.frozen(house.freeze(&new)).await?;
    assert_eq!(scope.total as usize, deliveries.len() - 1, "whoever holds it, and not who gave it back");
    house.issue(&new).await?;
    let replacing = house.deliveries(&new, scope.total as usize).await?;
    let corrected = of(&replacing, UNIT);
    assert_eq!(corrected.replaces, mine.name);
    assert_eq!(client.delivery(&mine.name).await?.state, DeliveryState::Recalled);
    assert!(!replacing.iter().any(|delivery| delivery.title == "市财政局"));
    assert_eq!(of(&replacing, "市审计局").replaces, turned.name);
    house.as_unit(UNIT)?.deliver(&corrected.name, sign(corrected), None).await?;
    house.services.stop().await
}

#[tokio::test]
async fn a_receipt_of_records_starts_the_clock_and_attendance_settles_the_quorum() -> Result<()> {
    let house = House::new().await?;
    let client = &house.client;
    let import = Import { standing: Standing::Draft, ..Import::new(&house.organ, draft().into_bytes()) };
    let minutes = client.import_minutes(import).await?.minutes.name;
    let acts = to_registered(DisclosureClass::Public);
    for act in &acts[..acts.len() - 1] {
        client.step(&minutes, act.clone(), None).await?;
    }
    house.frozen(house.freeze(&minutes)).await?;
    let new = NewMeeting {
        kind: "常务会议".into(),
        date: "2025-04-15".into(),
        items: vec![AgendaItem { title: "一".into(), ..AgendaItem::default() }],
        ..NewMeeting::default()
    };
    let meeting = client.create_meeting(&house.organ, new).await?.name;
    for seat in client.list_seats(&meeting, None).await?.entries {
        client
            .sit(&seat.name, SeatAct::SignIn { terminal: "东门".into(), person: String::new() }, None)
            .await?;
    }
    client.hold_meeting(&meeting, None, None).await?;
    client.meet(&meeting, MeetingAct::LinkMinutes { minutes: minutes.clone() }, None).await?;
    // Nobody records the quorum by hand: attendance's journal brings it.
    until("the issue", async || match client.step(&minutes, LifeAct::Issue, None).await {
        Ok(_) => Ok(Some(())),
        Err(error) => match error.reason().map(|reason| reason.to_string()).as_deref() {
            Some("QUORUM_OPEN" | "SCOPE_NOT_FROZEN") => Ok(None),
            _ => Err(error.into()),
        },
    })
    .await?;
    let acts = client.minutes(&minutes, None).await?.life.history;
    assert!(acts.iter().any(|entry| entry.act == "RECORD_QUORUM" && entry.actor == "follower"), "{acts:?}");

    let matter = client
        .pick_matters(&minutes)
        .await?
        .matters
        .into_iter()
        .find(|matter| matter.summary.lead == "市水务局");
    let matter = matter.map(|matter| matter.summary.name).unwrap_or_default();
    let deliveries = house.deliveries(&minutes, 1).await?;
    let deliveries = house.deliveries(&minutes, deliveries.len()).await?;
    let theirs = of(&deliveries, "市水务局");
    house.as_unit("市水务局")?.deliver(&theirs.name, sign(theirs), None).await?;
    let history = until("the matter's clock", async || {
        let history = client.matter(&matter).await?.history;
        Ok(history.iter().any(|entry| entry.act == "SIGN_FOR").then_some(history))
    })
    .await?;
    assert!(history.iter().any(|entry| entry.words.starts_with(&today())), "{history:?}");
    // A unit is the same under its full title and its short form.
    let by_hand = NewMatter {
        minutes: minutes.clone(),
        text: "每季度向市政府报告一次进度".into(),
        content: "按季报告进度".into(),
        lead: "青禾县人民政府".into(),
        due: "2099-12-31".into(),
        ..NewMatter::default()
    };
    let matter = client.create_matter(by_hand).await?.summary.name;
    let theirs = of(&deliveries, "青禾县");
    house.as_unit("青禾县")?.deliver(&theirs.name, sign(theirs), None).await?;
    until("the clock of a unit with two names", async || {
        let history = client.matter(&matter).await?.history;
        Ok(history.iter().any(|entry| entry.act == "SIGN_FOR").then_some(()))
    })
    .await?;
    house.services.stop().await
}

#[tokio::test]
async fn req_44_45_46_50_the_public_reads_what_is_public_and_no_hint_of_the_rest() -> Result<()> {
    let house = House::new().await?;
    let client = &house.client;
    let minutes = house.drafted(&draft(), DisclosureClass::Public).await?;
    let passage = |quote: &str| LifeAct::MarkPassage {
        passage: Passage {
            quote: quote.into(), class: DisclosureClass::Withheld, reason: "第十五条".into()
        },
    };
    assert_eq!(reason(client.step(&minutes, passage("文中没有的话"), None).await), "FIELD_INVALID");
    client.step(&minutes, passage("城市更新三年行动方案"), None).await?;
    house.frozen(house.freeze(&minutes)).await?;
    house.issue(&minutes).await?;
    let listed = async || Ok::<_, Error>(client.list_published("organs/-", None).await?.entries);
    assert_eq!(listed().await?, [], "issued is not public");
    assert_eq!(client.search_published("organs/-", "城市更新", None).await?.entries, []);
    assert_eq!(reason(client.published(&minutes).await), "MINUTES_NOT_FOUND");
    let publish = |separable| LifeAct::Publish { place: "门户网站".into(), separable };
    assert_eq!(reason(client.step(&minutes, publish(false), None).await), "PASSAGE_WITHHELD");
    client.step(&minutes, publish(true), None).await?;
    let public = until("the public listing", async || Ok(listed().await?.into_iter().next())).await?;
    assert_eq!(
        (public.name.as_str(), public.note.as_str(), public.is_separable),
        (minutes.as_str(), "（此件公开发布）", true)
    );
    let (_, text) = client.published(&minutes).await?;
    assert!(!text.contains("城市更新三年行动方案") && text.contains("［此处依法不予公开］"));
    assert_eq!(
        client.search_published("organs/-", "城市更新三年行动方案", None).await?.entries,
        [],
        "not even in a search"
    );
    let hits = client.search_published("organs/linlan", "市住建局", None).await?.entries;
    assert!(hits.len() == 1 && hits[0].1.contains("市住建局"), "{hits:?}");
    assert_eq!(reason(client.search_published("organs/-", "一", None).await), "FIELD_REQUIRED");

    // A draft of another class never shows, and its class is refused at publication.
    let other = house.drafted(&draft().replace("第42次", "第43次"), DisclosureClass::OnRequest).await?;
    house.frozen(house.freeze(&other)).await?;
    house.issue(&other).await?;
    assert_eq!(reason(client.step(&other, publish(false), None).await), "DISCLOSURE_MISSING");
    assert_eq!(listed().await?.len(), 1);
    assert_eq!(reason(client.published(&other).await), "MINUTES_NOT_FOUND");
    // What is revoked is public no more.
    let revoke = LifeAct::Revoke { document: "撤销决定".into(), reason: "违法".into() };
    client.step(&minutes, revoke, None).await?;
    until("the end of it", async || Ok(listed().await?.is_empty().then_some(()))).await?;
    house.services.stop().await
}

#[tokio::test]
async fn req_37_50_what_is_void_before_distribution_hears_of_it_goes_nowhere() -> Result<()> {
    let house = House::new().await?;
    let client = &house.client;
    // Scope and copies are fixed at 登记, not before.
    let import = Import {
        standing: Standing::Draft,
        ..Import::new(&house.organ, draft().replace("第42次", "第44次").into_bytes())
    };
    let early = client.import_minutes(import).await?.minutes.name;
    until("refusal", async || {
        let refused = reason(client.freeze_scope(house.freeze(&early)).await);
        Ok((refused == "STATE_FORBIDS").then_some(()))
    })
    .await?;
    let minutes = house.drafted(&draft(), DisclosureClass::Public).await?;
    house.frozen(house.freeze(&minutes)).await?;
    // Issued, published and revoked before distribution looks again: nothing of it may show afterwards.
    let until_bound = async || match client.step(&minutes, LifeAct::Issue, None).await {
        Ok(_) => Ok(Some(())),
        Err(error) if error.reason().is_some_and(|reason| reason.as_str() == "SCOPE_NOT_FROZEN") => Ok(None),
        Err(error) => Err(error.into()),
    };
    until("issue", until_bound).await?;
    client.step(&minutes, LifeAct::Publish { place: "门户网站".into(), separable: false }, None).await?;
    let revoke = LifeAct::Revoke { document: "撤销决定".into(), reason: "违法".into() };
    client.step(&minutes, revoke, None).await?;
    let life = client.import_minutes(Import::new(&house.organ, SAMPLE.as_bytes().to_vec())).await?;
    // What came later has been followed, so all of that has.
    until("the list of what came later", async || {
        Ok(client.distribution_list(&life.minutes.name, None).await.ok())
    })
    .await?;
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(reason(client.published(&minutes).await), "MINUTES_NOT_FOUND");
    let out = client.list_deliveries(&minutes, false, None).await?.entries;
    for delivery in &out {
        let opened = house.as_unit(&delivery.title)?.open_delivery(&delivery.name).await;
        assert_eq!(reason(opened), "NOT_ISSUED", "nobody gets it: {}", delivery.title);
    }
    house.services.stop().await
}

#[tokio::test]
async fn req_47_48_the_clock_of_publication_runs_and_withheld_minutes_are_looked_at_again() -> Result<()> {
    let house = House::new().await?;
    let (client, organ) = (&house.client, &house.organ);
    let signed = civil_date(SystemClock.now(), "Asia/Shanghai");
    let minutes = house.drafted(&draft(), DisclosureClass::Public).await?;
    house.frozen(house.freeze(&minutes)).await?;
    house.issue(&minutes).await?;
    let standing = async |name: &str, as_of: &str| {
        until("where it stands", async || {
            let found = client.list_publications(organ, "", as_of, None).await?.entries;
            Ok(found.into_iter().find(|publication| publication.minutes == name))
        })
        .await
    };
    let due = standing(&minutes, "").await?;
    let last = jiyao_calendar::Holidays::shipped().after(signed, 20);
    match &last {
        Ok(last) => assert_eq!((due.standing.as_str(), due.due.clone()), ("DUE", last.to_string())),
        Err(_) => assert_eq!(due.standing, "HOLIDAYS_UNKNOWN", "a year without a table is said"),
    }
    if let Ok(last) = last {
        let late = days_later(last, 1).to_string();
        assert_eq!(standing(&minutes, &late).await?.standing, "OVERDUE");
        assert_eq!(client.list_publications(organ, "OVERDUE", &late, None).await?.entries.len(), 1);
    }
    assert_eq!(reason(client.list_publications(organ, "SOON", "", None).await), "FIELD_INVALID");
    assert_eq!(reason(client.set_reassessment(&minutes, "2030-01-01").await), "STATE_FORBIDS");

    let kept = house.drafted(&draft().replace("第42次", "第43次"), DisclosureClass::Withheld).await?;
    house.frozen(house.freeze(&kept)).await?;
    house.issue(&kept).await?;
    assert_eq!(standing(&kept, "").await?.standing, "WITHHELD");
    assert_eq!(reason(client.set_reassessment(&kept, "soon").await), "FIELD_INVALID");
    let again = days_later(signed, 30);
    let set = client.set_reassessment(&kept, &again.to_string()).await?;
    assert_eq!((set.standing.as_str(), set.reassess), ("WITHHELD", again.to_string()));
    let after = days_later(again, 1).to_string();
    let listed = client.list_publications(organ, "TO_REASSESS", &after, None).await?.entries;
    assert_eq!(listed.iter().map(|one| one.minutes.as_str()).collect::<Vec<_>>(), [kept.as_str()]);
    house.services.stop().await
}

#[tokio::test]
async fn req_49_the_register_of_requests_keeps_its_days() -> Result<()> {
    let house = House::new().await?;
    let (client, organ) = (&house.client, &house.organ);
    let asked = DisclosureRequest {
        applicant: "申请人甲".into(),
        subject: "第42次会议纪要".into(),
        received: "2025-04-01".into(),
        ..DisclosureRequest::default()
    };
    let made = client.create_disclosure_request(organ, asked.clone()).await?;
    // Twenty working days: 4 April is a holiday, Sunday the 27th is worked.
    assert_eq!((made.state.as_str(), made.due.as_str()), ("OPEN", "2025-04-29"));
    let on = async |day: &str| client.disclosure_request(&made.name, day).await.map(|found| found.is_late);
    assert_eq!((on("2025-04-29").await?, on("2025-04-30").await?), (false, true));
    assert_eq!(client.list_disclosure_requests(organ, true, "2025-04-30", None).await?.entries.len(), 1);
    assert_eq!(client.list_disclosure_requests(organ, true, "2025-04-29", None).await?.entries, []);
    let act = async |act: RequestAct| client.act_on_request(&made.name, act, None).await;
    let completion = RequestAct::AskCompletion { what: "身份证明".into() };
    assert_eq!(reason(act(completion.clone()).await), "TOO_LATE", "seven working days are over");
    let extend = RequestAct::Extend { working_days: 20, reason: "需检索".into() };
    assert_eq!(reason(act(extend).await), "TOO_LATE");
    let kind = RequestAct::Answer { kind: "PERHAPS".into(), text: "答复".into() };
    assert_eq!(reason(act(kind).await), "FIELD_INVALID");
    let waiting = act(RequestAct::AskThirdParty { party: "某企业".into() }).await?;
    assert_eq!(waiting.state, "AWAITING_THIRD_PARTY");
    let answer = RequestAct::Answer { kind: "GIVEN".into(), text: "随信提供".into() };
    assert_eq!(reason(act(answer.clone()).await), "STATE_FORBIDS");
    let heard = act(RequestAct::HearThirdParty { text: "不同意".into() }).await?;
    let stale = client.act_on_request(&made.name, answer.clone(), Some(heard.version - 1)).await;
    assert_eq!(reason(stale), "ETAG_STALE");
    let answered = client.act_on_request(&made.name, answer, Some(heard.version)).await?;
    assert_eq!((answered.state.as_str(), answered.history.len()), ("ANSWERED", 3));
    assert!(!answered.is_late, "what is answered is not late");

    let fresh = DisclosureRequest { received: String::new(), ..asked.clone() };
    let fresh = client.create_disclosure_request(organ, fresh).await?;
    let waiting = client.act_on_request(&fresh.name, completion, None).await;
    match waiting {
        Ok(waiting) => {
            assert_eq!(waiting.state, "AWAITING_COMPLETION");
            let dropped = RequestAct::Drop { reason: "逾期未补正".into() };
            assert_eq!(client.act_on_request(&fresh.name, dropped, None).await?.state, "DROPPED");
        }
        // In a year that no table knows yet.
        Err(refused) => assert_eq!(refused.reason().unwrap().as_str(), "HOLIDAYS_UNKNOWN"),
    }
    let nobody = DisclosureRequest { applicant: " ".into(), ..asked.clone() };
    assert_eq!(reason(client.create_disclosure_request(organ, nobody).await), "FIELD_REQUIRED");
    let early = DisclosureRequest { received: "2999-01-01".into(), ..asked };
    assert_eq!(reason(client.create_disclosure_request(organ, early).await), "FIELD_INVALID");
    let nowhere = format!("{organ}/disclosureRequests/018f2f6e-7c1c-7aaa-8bbb-0123456789ab");
    assert_eq!(reason(client.disclosure_request(&nowhere, "").await), "REQUEST_NOT_FOUND");
    assert_eq!(
        reason(client.act_on_request(&nowhere, RequestAct::Complete, None).await),
        "REQUEST_NOT_FOUND"
    );
    house.services.stop().await
}

#[tokio::test]
async fn a_units_own_system_resumes_its_stream_and_acknowledges_by_attempt() -> Result<()> {
    let house = House::new().await?;
    let (_, deliveries) = house.issued().await?;
    let mine = of(&deliveries, UNIT);
    let unit = house.as_unit(UNIT)?;
    let mut inbox = unit.watch_inbox(&house.organ, UNIT, None);
    let first = inbox.next().await?;
    let taken = first.changes.iter().find(|delivery| delivery.name == mine.name).unwrap();
    let receive = |attempt| DeliveryAct::Receive { attempt };
    assert_eq!(reason(unit.deliver(&mine.name, receive(taken.attempt + 1), None).await), "ATTEMPT_STALE");
    let received = unit.deliver(&mine.name, receive(taken.attempt), None).await?;
    assert_eq!(received.state, DeliveryState::Received);
    let again = unit.deliver(&mine.name, receive(taken.attempt), None).await?;
    assert_eq!(again.version, received.version, "twice is once");
    assert_eq!(unit.receipts(&mine.name).await?.len(), 1);
    // From where it was: nothing that was seen comes again, what came since does.
    let mut resumed = unit.watch_inbox(&house.organ, UNIT, Some(first.position));
    let next = resumed.next().await?;
    assert!(next.changes.iter().any(|delivery| delivery.state == DeliveryState::Received), "{next:?}");
    house.services.stop().await
}
