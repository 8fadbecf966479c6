//! What distribution decides, and what its state shows.

use jiyao_fault::{Fault, Result};
use jiyao_ledger::{Context, Decided, Domain, Overlay, decode_event, event};
use jiyao_names::{DISTRIBUTION_LIST, Minutes};
use jiyao_proto::distribution::v1::{DistributionList, Recipient, RecipientKind};
use jiyao_proto::journal::v1::event::Kind;
use jiyao_proto::journal::v1::{Cursor, ListStated};
use jiyao_proto::records::v1 as records;
use jiyao_proto::stored::v1::{Event, ListsStated};
use jiyao_serve::{document_of, is_new, keep, put_listed};
use prost::Message as _;

const LISTS_STATED: &str = "lists.stated";

pub(crate) struct DistributionDomain;

pub(crate) enum Command {
    /// Take over the lists that these minutes state.
    State { minutes: Vec<records::Minutes>, source: Cursor },
}

impl Domain for DistributionDomain {
    type Command = Command;
    const PROJECTION: u32 = 1;

    fn decide(&self, view: &Overlay<'_>, command: &Command, context: &mut Context<'_>) -> Result<Decided> {
        let Command::State { minutes, source } = command;
        if !is_new(view, source)? {
            return Ok(Decided::default());
        }
        let now = context.now.as_millisecond();
        let lists = minutes.iter().map(|minutes| list(minutes, now)).collect();
        let happened = event(LISTS_STATED, 1, &ListsStated { lists, source: Some(source.clone()) });
        Ok(Decided { events: vec![happened], answer: Vec::new() })
    }

    fn apply(&self, view: &mut Overlay<'_>, event: &Event, _: u64) -> Result<()> {
        let ListsStated { lists, source } = stated(event)?;
        for list in lists {
            let minutes = Minutes::parse(&list.minutes, "list.minutes")?;
            let before = view.get(&document_of(&minutes))?;
            let before = before
                .map(|list| DistributionList::decode(list.as_slice()))
                .transpose()
                .map_err(Fault::internal)?;
            view.put(document_of(&minutes), list.encode_to_vec());
            let date = before.as_ref().map(|list| list.meeting_date.as_str());
            put_listed(view, &minutes, date, &list.meeting_date, &list.encode_to_vec());
        }
        keep(view, &source.unwrap_or_default());
        Ok(())
    }

    fn public(&self, event: &Event) -> Result<Vec<Kind>> {
        let lists = stated(event)?.lists.into_iter();
        Ok(lists
            .map(|list| Kind::ListStated(ListStated { minutes: list.minutes, revision: list.revision }))
            .collect())
    }
}

fn stated(event: &Event) -> Result<ListsStated> {
    match (event.r#type.as_str(), event.version) {
        (LISTS_STATED, 1) => decode_event(event),
        _ => Err(Fault::internal(format!("event {} version {} is not known", event.r#type, event.version))),
    }
}

fn list(minutes: &records::Minutes, now: i64) -> DistributionList {
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
        create_time: Some(jiyao_wire::timestamp(now)),
    }
}
