//! What is done with one delivery, by units, the office and the service itself.

use jiyao_calendar::Date;
use jiyao_deliveries::{Act, Channel, Delivery, Entry};
use jiyao_fault::{Fault, Reason, Result};
use jiyao_ledger::{Context, Lookup as _, Overlay, from_json, to_json};
use jiyao_names::{Delivery as DeliveryName, Minutes};
use jiyao_proto::stored::v1::Event;
use jiyao_receipts::PublicKey;
use jiyao_rolls::Unit;
use serde::{Deserialize, Serialize};

use super::scope::level_name;
use super::{DELIVERY_ACTED, DistributionDomain, answer, check_etag, noted};
use crate::documents::View as _;
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
        let recipients = view.acting_for(&name.organ, &delivery.unit, day)?;
        if let Act::Redirect { channel, .. } = &act {
            self.check_redirect(view, name, delivery, *channel)?;
        }
        let address = view.address(&name.organ, &delivery.unit)?;
        let key = if address.key.is_empty() { None } else { PublicKey::parse(&address.key).ok() };
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
        let known = view.known(&Minutes::parse(&delivery.minutes, "minutes")?, "minutes")?;
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
