//! What attendance decides, and what its state shows.

use jiyao_fault::{Fault, Result};
use jiyao_ledger::{Context, Decided, Domain, Overlay, decode_event, event};
use jiyao_names::{Minutes, ROLL};
use jiyao_proto::attendance::v1::{Presence, Roll, RollEntry};
use jiyao_proto::journal::v1::event::Kind;
use jiyao_proto::journal::v1::{Cursor, RollStated};
use jiyao_proto::records::v1 as records;
use jiyao_proto::stored::v1::{Event, RollsStated};
use jiyao_serve::{document_of, is_new, keep, put_listed};
use prost::Message as _;

const ROLLS_STATED: &str = "rolls.stated";

pub(crate) struct AttendanceDomain;

pub(crate) enum Command {
    /// Take over the rolls that these minutes state.
    State { minutes: Vec<records::Minutes>, source: Cursor },
}

impl Domain for AttendanceDomain {
    type Command = Command;
    const PROJECTION: u32 = 1;

    fn decide(&self, view: &Overlay<'_>, command: &Command, context: &mut Context<'_>) -> Result<Decided> {
        let Command::State { minutes, source } = command;
        if !is_new(view, source)? {
            return Ok(Decided::default());
        }
        let now = context.now.as_millisecond();
        let rolls = minutes.iter().map(|minutes| roll(minutes, now)).collect();
        let happened = event(ROLLS_STATED, 1, &RollsStated { rolls, source: Some(source.clone()) });
        Ok(Decided { events: vec![happened], answer: Vec::new() })
    }

    fn apply(&self, view: &mut Overlay<'_>, event: &Event, _: u64) -> Result<()> {
        let RollsStated { rolls, source } = stated(event)?;
        for roll in rolls {
            let minutes = Minutes::parse(&roll.minutes, "roll.minutes")?;
            let before = view.get(&document_of(&minutes))?;
            let before =
                before.map(|roll| Roll::decode(roll.as_slice())).transpose().map_err(Fault::internal)?;
            view.put(document_of(&minutes), roll.encode_to_vec());
            let short = Roll { entries: Vec::new(), ..roll };
            let date = before.as_ref().map(|roll| roll.meeting_date.as_str());
            put_listed(view, &minutes, date, &short.meeting_date, &short.encode_to_vec());
        }
        keep(view, &source.unwrap_or_default());
        Ok(())
    }

    fn public(&self, event: &Event) -> Result<Vec<Kind>> {
        let rolls = stated(event)?.rolls.into_iter();
        Ok(rolls
            .map(|roll| Kind::RollStated(RollStated { minutes: roll.minutes, revision: roll.revision }))
            .collect())
    }
}

fn stated(event: &Event) -> Result<RollsStated> {
    match (event.r#type.as_str(), event.version) {
        (ROLLS_STATED, 1) => decode_event(event),
        _ => Err(Fault::internal(format!("event {} version {} is not known", event.r#type, event.version))),
    }
}

fn roll(minutes: &records::Minutes, now: i64) -> Roll {
    let facts = minutes.facts.as_ref().map(jiyao_wire::facts_from).unwrap_or_default();
    let entries: Vec<RollEntry> = jiyao_rolls::stated(&facts)
        .into_iter()
        .map(|entry| {
            let presence = match entry.presence {
                jiyao_rolls::Presence::Present => Presence::Present,
                jiyao_rolls::Presence::Observer => Presence::Observer,
                jiyao_rolls::Presence::Absent => Presence::Absent,
                jiyao_rolls::Presence::Recorder => Presence::Recorder,
            };
            RollEntry { presence: presence.into(), unit: entry.unit, person: entry.person }
        })
        .collect();
    let count = |presence: Presence| {
        u32::try_from(entries.iter().filter(|entry| entry.presence() == presence).count()).unwrap_or(u32::MAX)
    };
    Roll {
        name: format!("{}/{ROLL}", minutes.name),
        minutes: minutes.name.clone(),
        revision: minutes.revision,
        meeting_date: facts.meeting.date.map(|date| date.value.into()).unwrap_or_default(),
        chair: facts.meeting.chair.map(|chair| chair.value.into()).unwrap_or_default(),
        present: count(Presence::Present),
        observers: count(Presence::Observer),
        absent: count(Presence::Absent),
        create_time: Some(jiyao_wire::timestamp(now)),
        entries,
    }
}
