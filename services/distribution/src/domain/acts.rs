//! What is done with one delivery, by units, the office and the service itself.

use jiyao_calendar::Date;
use jiyao_deliveries::{Act, Channel, Copy, Delivery, Entry};
use jiyao_fault::{Fault, Reason, Result};
use jiyao_ledger::{Context, Lookup as _, Overlay, check_etag, from_json, noted, to_json};
use jiyao_names::{Delivery as DeliveryName, Minutes};
use jiyao_proto::stored::v1::Event;
use jiyao_receipts::PublicKey;
use jiyao_rolls::Unit;
use serde::{Deserialize, Serialize};

use super::scope::level_name;
use super::{DELIVERY_ACTED, DistributionDomain, answer, check_content};
use crate::documents::{View as _, names_of};
use crate::keys;

/// Body of an act on a delivery, with what followers are told.
#[derive(Serialize, Deserialize)]
pub(super) struct Acted {
    pub(super) entry: Entry,
    pub(super) minutes: String,
    pub(super) unit: String,
    pub(super) title: String,
    /// Whatever else the unit is called.
    #[serde(default)]
    pub(super) names: Vec<String>,
    pub(super) day: Date,
}

impl DistributionDomain {
    /// An act of the service itself on a delivery.
    pub(super) fn system(
        &self,
        view: &Overlay<'_>,
        name: &DeliveryName,
        delivery: &Delivery,
        act: Act,
        context: &Context<'_>,
    ) -> Result<Event> {
        let (event, _) = self.acted(view, name, delivery, act, ("", true), context)?;
        event.ok_or_else(|| Fault::new(Reason::StateForbids).with("state", "REPEAT").with("act", "SYSTEM"))
    }

    /// An act on a delivery: its event, unless nothing changes, and the entry.
    fn acted(
        &self,
        view: &Overlay<'_>,
        name: &DeliveryName,
        delivery: &Delivery,
        act: Act,
        (unit, is_system): (&str, bool),
        context: &Context<'_>,
    ) -> Result<(Option<Event>, Entry)> {
        let day = self.today(context.now);
        match &act {
            Act::Redirect { channel, .. } => {
                self.check_redirect(view, name, delivery, *channel)?;
            }
            Act::Open { .. } | Act::Resend { .. } => self.check_way(view, delivery, delivery.channel)?,
            _ => {}
        }
        if matches!(act, Act::Resend { .. } | Act::HandOver { .. }) {
            check_copies_out(view, delivery, act.name())?;
        }
        // Whoever has taken the place of the recipient signs with a key of their own.
        let acting = view.acting_units(&name.organ, &delivery.unit, day)?;
        let signing = acting.iter().find(|acting| acting.names().any(|name| name == unit));
        let signing = signing.map_or(delivery.unit.as_str(), |unit| unit.id.as_str());
        let address = view.address(&name.organ, signing)?;
        let key = if address.key.is_empty() { None } else { PublicKey::parse(&address.key).ok() };
        let recipients = names_of(&acting);
        let known = jiyao_deliveries::Context {
            actor: context.principal,
            unit,
            recipients: &recipients,
            is_system,
            now: context.now,
            key: key.as_ref(),
        };
        let entry = delivery.decide(act, &known)?;
        if entry.is_repeat {
            return Ok((None, entry));
        }
        let receipt = delivery.statement(&entry, key.as_ref()).map(|statement| self.key.sign(&statement));
        // Followers are told of signatures alone.
        let is_told = matches!(entry.act, Act::Sign { .. } | Act::HandOver { .. });
        let unit = if is_told { view.value(&keys::unit(&name.organ, &delivery.unit))? } else { None };
        let names = match unit {
            Some(unit) => from_json::<Unit>(&unit)?.names().map(str::to_owned).collect(),
            None => Vec::new(),
        };
        let body = Acted {
            entry: entry.clone(),
            minutes: delivery.minutes.clone(),
            unit: delivery.unit.clone(),
            title: delivery.title.clone(),
            names,
            day,
        };
        let parts = receipt.map(String::into_bytes).into_iter().collect();
        Ok((Some(noted(DELIVERY_ACTED, name, delivery.version + 1, to_json(&body)?, parts)), entry))
    }

    fn check_redirect(
        &self,
        view: &Overlay<'_>,
        name: &DeliveryName,
        delivery: &Delivery,
        channel: Channel,
    ) -> Result<()> {
        let address = view.address(&name.organ, &delivery.unit)?;
        if !address.reaches(channel) {
            return Err(Fault::new(Reason::AddressMissing)
                .at("channel")
                .with("unit", &delivery.title)
                .with("channel", channel.as_str()));
        }
        self.check_way(view, delivery, channel)
    }

    /// Refuses to send what became secret since it was sent, or void, or was corrected or erased (requirements 15 and 43).
    fn check_way(&self, view: &Overlay<'_>, delivery: &Delivery, channel: Channel) -> Result<()> {
        let minutes = Minutes::parse(&delivery.minutes, "minutes")?;
        check_content(view, &minutes)?;
        let known = view.known(&minutes, "minutes")?;
        known.check_not_over()?;
        if channel != Channel::Paper && known.is_paper_only(self.paper_from) {
            return Err(Fault::new(Reason::ChannelForbidden)
                .at("channel")
                .with("channel", channel.as_str())
                .with("level", level_name(known.secrecy)));
        }
        Ok(())
    }

    pub(super) fn act(
        &self,
        view: &Overlay<'_>,
        name: &DeliveryName,
        (etag, unit, is_system): (u64, &str, bool),
        act: Act,
        context: &Context<'_>,
    ) -> Result<(Vec<Event>, Vec<u8>)> {
        let delivery = view.delivery(name, "name")?;
        check_etag(etag, delivery.version)?;
        let (event, _) = self.acted(view, name, &delivery, act, (unit, is_system), context)?;
        Ok((event.into_iter().collect(), answer(name)))
    }
}

/// A copy that was given back or destroyed does not go out again (requirement 38).
fn check_copies_out(view: &Overlay<'_>, delivery: &Delivery, act: &str) -> Result<()> {
    let minutes = Minutes::parse(&delivery.minutes, "minutes")?;
    for number in &delivery.copies {
        let copy = view.value(&keys::copy(&minutes, number))?;
        if copy.map(|copy| from_json::<Copy>(&copy)).transpose()?.is_some_and(|copy| copy.end.is_some()) {
            return Err(Fault::new(Reason::StateForbids).with("state", "COPY_ENDED").with("act", act));
        }
    }
    Ok(())
}
