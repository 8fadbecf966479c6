use std::collections::BTreeMap;

use jiyao_minutes::Quorum;
use jiyao_phrases::{Lang, say};

use crate::{
    Client, DeliveryState, Error, ListMinutes, Minutes, Page, PublicKey, ReceiptKind, Service, Standing,
    verify_receipt,
};

/// What two services do not agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Name of what it is about.
    pub name: String,
    /// The difference itself: a sentence in the client's language.
    pub what: String,
}

/// The differences that were found, said in one language.
struct Found {
    lang: Lang,
    differences: Vec<Difference>,
}

impl Found {
    /// Notes what differs about a name: the sentence of an id in the catalogue.
    fn note(&mut self, name: &str, id: &str, arguments: &[(&str, &str)]) {
        let what = say(self.lang, id, arguments);
        self.differences.push(Difference { name: name.to_owned(), what });
    }
}

impl Client {
    /// Holds the three services against each other: every minutes of records, in its newest revision, has one roll in
    /// attendance and one list in distribution, and they have none besides; whether a meeting could decide is the same in
    /// attendance and in records; minutes were issued to the recipients that distribution froze, and each has a delivery;
    /// every delivery that is signed for has exactly one receipt that says so, which verifies; and no service has stopped
    /// following another. Ask it when the followers have caught up, or expect those that are on their way. Needs the role
    /// auditor.
    ///
    /// # Errors
    /// Those of reading and of `GetStatus`.
    pub async fn reconcile(&self, organs: &str) -> Result<Vec<Difference>, Error> {
        let mut recorded = BTreeMap::new();
        for summary in self.all_minutes(ListMinutes::of(organs)).await? {
            let minutes = self.minutes(&summary.name, None).await?;
            recorded.insert(summary.name, minutes);
        }
        let mut found = Found { lang: self.records.lang(), differences: Vec::new() };
        self.stopped(&mut found).await?;
        let rolls = Page::all(async |page| self.list_rolls(organs, page).await).await?;
        let rolls = rolls.into_iter().map(|roll| (roll.minutes, roll.revision));
        taken_over(Service::Attendance, &recorded, rolls, &mut found);
        let lists = Page::all(async |page| self.list_distribution_lists(organs, page).await).await?;
        let lists = lists.into_iter().map(|list| (list.minutes, list.revision));
        taken_over(Service::Distribution, &recorded, lists, &mut found);
        self.quorums(organs, &recorded, &mut found).await?;
        let keys = self.public_keys("receipt").await?;
        for (name, minutes) in &recorded {
            self.recipients(name, minutes, &keys, &mut found).await?;
        }
        Ok(found.differences)
    }

    /// Notes each service that takes over no more of another: it has old data of it, also where nothing differs yet.
    async fn stopped(&self, found: &mut Found) -> Result<(), Error> {
        for service in Service::ALL {
            for one in self.status(service).await?.following {
                if !one.stopped.is_empty() {
                    let (url, why) = (one.url.as_str(), one.stopped.as_str());
                    found.note(service.as_str(), "differs-stopped", &[("url", url), ("why", why)]);
                }
            }
        }
        Ok(())
    }

    /// Whether the meetings that were held could decide, as attendance counted it and as their minutes say it.
    async fn quorums(
        &self,
        organs: &str,
        recorded: &BTreeMap<String, Minutes>,
        found: &mut Found,
    ) -> Result<(), Error> {
        let all = Page::all(async |page| self.list_organs(None, page).await).await?;
        for organ in all.into_iter().filter(|organ| organs == "organs/-" || organ.name == organs) {
            for meeting in Page::all(async |page| self.list_meetings(&organ.name, page).await).await? {
                let (Some(quorum), Some(minutes)) = (meeting.quorum, recorded.get(&meeting.minutes)) else {
                    continue;
                };
                // Somebody may have recorded it by hand before the meeting was linked: then both must be right.
                let known = minutes.life.quorum;
                if known != Quorum::Unknown && known.as_str() != quorum.outcome {
                    let word = |outcome: &str| say(found.lang, &format!("quorum-{outcome}"), &[]);
                    let (recorded, counted) = (word(known.as_str()), word(&quorum.outcome));
                    let said = [("recorded", recorded.as_str()), ("counted", &counted)];
                    found.note(&minutes.name, "differs-quorum", &said);
                }
            }
        }
        Ok(())
    }

    /// To whom minutes went: those that were frozen, each with a delivery and a receipt for each signature.
    async fn recipients(
        &self,
        name: &str,
        minutes: &Minutes,
        keys: &[PublicKey],
        found: &mut Found,
    ) -> Result<(), Error> {
        let deliveries = Page::all(async |page| self.list_deliveries(name, false, page).await).await?;
        if !minutes.life.frozen.is_empty() {
            match self.frozen_scope(name).await {
                Ok(scope) if scope.hash == minutes.life.frozen => {
                    // Before the issue there are none, and what was issued elsewhere is sent when somebody says so.
                    let is_sent = minutes.life.stage.is_issued()
                        && minutes.life.revoked_date.is_empty()
                        && minutes.life.voided_date.is_empty()
                        && (minutes.standing == Standing::Draft || !deliveries.is_empty());
                    if is_sent && deliveries.len() < scope.total as usize {
                        let (sent, frozen) = (deliveries.len().to_string(), scope.total.to_string());
                        found.note(name, "differs-deliveries", &[("sent", &sent), ("frozen", &frozen)]);
                    }
                }
                Ok(scope) => {
                    let said = [("recorded", minutes.life.frozen.as_str()), ("frozen", &scope.hash)];
                    found.note(name, "differs-recipients", &said);
                }
                Err(error) if error.reason().is_some() => {
                    found.note(name, "differs-unfrozen", &[("error", error.message())]);
                }
                Err(error) => return Err(error),
            }
        }
        for delivery in deliveries {
            let receipts = self.receipts(&delivery.name).await?;
            let said = receipts.iter().filter_map(|receipt| verify_receipt(receipt, keys).ok());
            let signed = said.filter(|said| said.kind == ReceiptKind::SignedFor).count();
            let wanted = usize::from(delivery.state == DeliveryState::Signed);
            if signed < wanted || signed > 1 {
                let (count, wanted) = (signed.to_string(), wanted.to_string());
                found.note(&delivery.name, "differs-receipts", &[("count", &count), ("expected", &wanted)]);
            }
        }
        Ok(())
    }
}

/// What another service took over of minutes, by name and revision: exactly the newest revision of each.
fn taken_over(
    by: Service,
    recorded: &BTreeMap<String, Minutes>,
    rows: impl Iterator<Item = (String, u64)>,
    found: &mut Found,
) {
    let mut taken = BTreeMap::<String, Vec<u64>>::new();
    for (name, revision) in rows {
        taken.entry(name).or_default().push(revision);
    }
    let by = by.as_str();
    for (name, minutes) in recorded {
        let has = taken.get(name).map(Vec::as_slice).unwrap_or_default();
        let recorded = minutes.revision.to_string();
        if has.is_empty() {
            found.note(name, "differs-missing", &[("service", by), ("recorded", &recorded)]);
        } else if has != [minutes.revision] {
            let has = has.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
            let said = [("service", by), ("has", has.as_str()), ("recorded", &recorded)];
            found.note(name, "differs-revision", &said);
        }
    }
    for name in taken.keys().filter(|name| !recorded.contains_key(*name)) {
        found.note(name, "differs-unknown", &[("service", by)]);
    }
}
