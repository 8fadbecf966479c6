//! What distribution makes of the journals of records and attendance.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiyao_fault::Fault;
use jiyao_minutes::Act;
use jiyao_names::{DISTRIBUTION_LIST, Minutes, Organ, hex};
use jiyao_proto::client::records::v1::records_service_client::RecordsServiceClient;
use jiyao_proto::distribution::v1::{DistributionList, Recipient, RecipientKind};
use jiyao_proto::journal::v1::event::Kind;
use jiyao_proto::journal::v1::{Cursor, Event};
use jiyao_proto::records::v1 as records;
use jiyao_serve::{
    FETCHED_AT_ONCE, Intake, Link, RESPONSE_LIMIT, Setback, directory_change, fetch_minutes, fetch_newest,
    unknown_kind,
};
use jiyao_wire::MOST_AT_ONCE;

use crate::documents::Known;
use crate::domain::{ATTENDANCE, Command, DistributionDomain, Move, RECORDS};

/// Takes over the lists that minutes state, and how far minutes are.
pub(crate) struct Lists;

impl Intake<DistributionDomain> for Lists {
    const SOURCE: &'static str = RECORDS;
    const METHOD: &'static str = "follow jiyao.records.v1";
    const ERASES: bool = true;

    async fn commands(
        &self,
        link: &Link,
        events: Vec<Event>,
        through: Cursor,
    ) -> Result<Vec<Command>, Setback> {
        let fetched = stream::iter(events).map(|event| async move {
            match &event.kind {
                Some(Kind::MinutesRecorded(recorded)) => {
                    let minutes = fetch_minutes(link, event.sequence, recorded).await?;
                    let known = known_of(&minutes).map_err(Setback::Lasting)?;
                    Ok(Some((Some(list(&minutes)), (known, Move::Other))))
                }
                Some(Kind::MinutesMoved(moved)) => {
                    let minutes = fetch_newest(link, &moved.minutes).await?;
                    let what = match moved.act.as_str() {
                        Act::ISSUE => Move::Issued,
                        Act::PUBLISH => Move::Published,
                        _ => Move::Other,
                    };
                    Ok(Some((None, (known_of(&minutes).map_err(Setback::Lasting)?, what))))
                }
                Some(Kind::OrganCreated(_) | Kind::MatterChanged(_)) => Ok(None),
                _ => Err(unknown_kind(&event)),
            }
        });
        let fetched: Vec<_> = fetched.buffered(FETCHED_AT_ONCE).try_collect().await?;
        let (lists, known): (Vec<_>, Vec<_>) = fetched.into_iter().flatten().unzip();
        let lists = lists.into_iter().flatten().collect();
        let command = (!known.is_empty()).then_some(Command::Know { lists, known, source: through });
        Ok(command.into_iter().collect())
    }
}

/// Takes over the organisations of directories.
pub(crate) struct Units;

impl Intake<DistributionDomain> for Units {
    const SOURCE: &'static str = ATTENDANCE;
    const METHOD: &'static str = "follow jiyao.attendance.v1";

    async fn commands(
        &self,
        link: &Link,
        events: Vec<Event>,
        through: Cursor,
    ) -> Result<Vec<Command>, Setback> {
        let mut changes = Vec::new();
        for event in events {
            match &event.kind {
                Some(Kind::DirectoryChanged(changed)) => {
                    let organ = Organ::parse(&changed.organ, "organ")?;
                    for page in directory_change(link, &changed.organ, changed.version).await? {
                        let units = page.units.into_iter().map(jiyao_wire::unit_from);
                        let version = page.next_page_token.is_empty().then_some(changed.version);
                        changes.push((organ.clone(), version, units.collect::<Result<Vec<_>, _>>()?));
                    }
                }
                Some(Kind::RollStated(_) | Kind::QuorumSettled(_)) => {}
                _ => return Err(unknown_kind(&event)),
            }
        }
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let units: usize = changes.iter().map(|(_, _, units)| units.len()).sum();
        let mut commands = Vec::new();
        if units > MOST_AT_ONCE {
            let page = |change| Command::Units { changes: vec![change], source: None };
            commands.extend(std::mem::take(&mut changes).into_iter().map(page));
        }
        commands.push(Command::Units { changes, source: Some(through) });
        Ok(commands)
    }
}

/// The original bytes of minutes, and their text.
///
/// # Errors
/// Those of records.
pub(crate) async fn fetch_content(link: &Link, minutes: &Minutes) -> Result<(Vec<u8>, Vec<u8>), Fault> {
    let mut records = RecordsServiceClient::new(link.clone()).max_decoding_message_size(RESPONSE_LIMIT);
    let mut both = [Vec::new(), Vec::new()];
    for (extracted, bytes) in [false, true].into_iter().zip(&mut both) {
        let request = records::GetMinutesTextRequest { name: minutes.to_string(), extracted };
        let mut chunks = records.get_minutes_text(request).await.map_err(Fault::internal)?.into_inner();
        while let Some(chunk) = chunks.message().await.map_err(Fault::internal)? {
            bytes.extend(chunk.chunk);
        }
    }
    let [content, text] = both;
    Ok((content, text))
}

/// What matters here of minutes. What a newer program says of them and this one does not know is no detail: guessed, a
/// secret would be sent by mail, or a withheld passage published.
fn known_of(minutes: &records::Minutes) -> Result<Known, Fault> {
    let life = minutes.life.clone().unwrap_or_default();
    let facts = minutes.facts.clone().unwrap_or_default();
    let said =
        |fact: &Option<records::Fact>| fact.as_ref().map(|fact| fact.value.clone()).unwrap_or_default();
    let day = |text: &str| jiyao_calendar::parse_iso(text);
    let is_foreign = minutes.standing == i32::from(records::Standing::IssuedElsewhere);
    let stage = jiyao_wire::stage_from(life.stage).ok_or_else(|| Fault::invalid("life.stage", life.stage))?;
    let decided = life.disclosure.as_ref().map_or(0, |disclosure| disclosure.class);
    let class = jiyao_wire::class_from(decided, "life.disclosure.class")?;
    let printed = said(&facts.disclosure);
    let claimed = is_foreign.then(|| jiyao_minutes::DisclosureClass::of_note(&printed)).flatten();
    let meeting = facts.meeting.clone().unwrap_or_default();
    let passage = |passage: &records::Passage| {
        let class = jiyao_wire::class_from(passage.class, "life.passages.class")?;
        let class = class.ok_or_else(|| Fault::required("life.passages.class"))?;
        Ok(jiyao_minutes::Passage { quote: passage.quote.clone(), class, reason: passage.reason.clone() })
    };
    let printed_date = |fact: Option<records::Fact>| fact.and_then(|fact| day(&fact.value));
    let number = if life.number.is_empty() { said(&facts.document_number) } else { life.number.clone() };
    let title = [said(&facts.issuer), said(&meeting.kind), "纪要".to_owned()].concat();
    Ok(Known {
        minutes: minutes.name.clone(),
        revision: minutes.revision,
        sha256: hex(&minutes.digest),
        stage,
        frozen: life.frozen_scope.map(|scope| scope.hash).unwrap_or_default(),
        is_foreign,
        copies: life.copies,
        is_void: !life.revoked_date.is_empty() || !life.voided_date.is_empty(),
        replaced_by: life.replaced_by,
        number,
        title,
        issuer: said(&facts.issuer),
        signed: day(&life.signed_date).or(printed_date(facts.compiled.clone().unwrap_or_default().date)),
        issued: day(&life.issued_date).or(printed_date(facts.printed.clone().unwrap_or_default().date)),
        published: day(&life.published_date),
        reclassified: day(&life.reclassified_date),
        class: class.or(claimed),
        secrecy: jiyao_wire::secrecy_from(life.secrecy)?.map(|secrecy| secrecy.level),
        passages: life.passages.iter().map(passage).collect::<Result<_, Fault>>()?,
        corrects: minutes.corrects.clone(),
    })
}

fn list(minutes: &records::Minutes) -> DistributionList {
    let facts = minutes.facts.as_ref().map(jiyao_wire::facts_from).unwrap_or_default();
    let recipients = jiyao_deliveries::stated(&facts)
        .into_iter()
        .map(|recipient| {
            let kind = match recipient.kind {
                jiyao_deliveries::RecipientKind::Unit => RecipientKind::Unit,
                jiyao_deliveries::RecipientKind::Class => RecipientKind::Class,
            };
            Recipient { title: recipient.title, kind: kind.into() }
        })
        .collect();
    let attending_units = jiyao_deliveries::attending(&facts);
    let printed = facts.printed.unwrap_or_default();
    DistributionList {
        name: format!("{}/{DISTRIBUTION_LIST}", minutes.name),
        minutes: minutes.name.clone(),
        revision: minutes.revision,
        meeting_date: facts.meeting.date.map(|date| date.value.into()).unwrap_or_default(),
        recipients,
        disclosure: facts.disclosure.map(|note| note.value.into()).unwrap_or_default(),
        printed_by: printed.by.map(|office| office.value.into()).unwrap_or_default(),
        printed_date: printed.date.map(|date| date.value.into()).unwrap_or_default(),
        create_time: None,
        attending_units,
    }
}
