use std::collections::BTreeMap;

use jiyao_minutes::Quorum;

use crate::{
    Client, DeliveryState, Error, ListMinutes, Minutes, Page, PublicKey, ReceiptKind, Standing,
    verify_receipt,
};

/// What two services do not agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Name of what it is about.
    pub name: String,
    /// What stands where, and what does not.
    pub what: String,
}

fn difference(name: &str, what: String) -> Difference {
    Difference { name: name.to_owned(), what }
}

impl Client {
    /// Holds the three services against each other: every minutes of records, in its newest revision, has one roll in
    /// attendance and one list in distribution, and they have none besides; whether a meeting could decide is the same in
    /// attendance and in records; minutes were issued to the recipients that distribution froze, and each has a delivery;
    /// every delivery that is signed for has exactly one receipt that says so, which verifies. Ask it when the followers
    /// have caught up, or expect those that are on their way.
    ///
    /// # Errors
    /// Those of reading.
    pub async fn reconcile(&self, organs: &str) -> Result<Vec<Difference>, Error> {
        let mut recorded = BTreeMap::new();
        for summary in self.all_minutes(ListMinutes::of(organs)).await? {
            let minutes = self.minutes(&summary.name, None).await?;
            recorded.insert(summary.name, minutes);
        }
        let mut differences = Vec::new();
        let rolls = Page::all(async |page| self.list_rolls(organs, page).await).await?;
        let rolls = rolls.into_iter().map(|roll| (roll.minutes, roll.revision));
        taken_over("attendance: roll", &recorded, rolls, &mut differences);
        let lists = Page::all(async |page| self.list_distribution_lists(organs, page).await).await?;
        let lists = lists.into_iter().map(|list| (list.minutes, list.revision));
        taken_over("distribution: list", &recorded, lists, &mut differences);
        self.quorums(organs, &recorded, &mut differences).await?;
        let keys = self.public_keys("receipt").await?;
        for (name, minutes) in &recorded {
            self.recipients(name, minutes, &keys, &mut differences).await?;
        }
        Ok(differences)
    }

    /// Whether the meetings that were held could decide, as attendance counted it and as their minutes say it.
    async fn quorums(
        &self,
        organs: &str,
        recorded: &BTreeMap<String, Minutes>,
        differences: &mut Vec<Difference>,
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
                    let what = format!(
                        "records: the quorum is {}, attendance counted {}",
                        known.as_str(),
                        quorum.outcome
                    );
                    differences.push(difference(&minutes.name, what));
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
        differences: &mut Vec<Difference>,
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
                        let what = format!(
                            "distribution: {} deliveries for {} frozen recipients",
                            deliveries.len(),
                            scope.total
                        );
                        differences.push(difference(name, what));
                    }
                }
                Ok(scope) => {
                    let what = format!(
                        "records: issued to the recipients {}, distribution froze {}",
                        minutes.life.frozen, scope.hash
                    );
                    differences.push(difference(name, what));
                }
                Err(error) if error.reason().is_some() => {
                    let what = format!("records: issued to frozen recipients; distribution: {error}");
                    differences.push(difference(name, what));
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
                let what = format!("distribution: {signed} receipts of a signature, {wanted} expected");
                differences.push(difference(&delivery.name, what));
            }
        }
        Ok(())
    }
}

/// What another service took over of minutes, by name and revision: exactly the newest revision of each.
fn taken_over(
    of: &str,
    recorded: &BTreeMap<String, Minutes>,
    found: impl Iterator<Item = (String, u64)>,
    differences: &mut Vec<Difference>,
) {
    let mut taken = BTreeMap::<String, Vec<u64>>::new();
    for (name, revision) in found {
        taken.entry(name).or_default().push(revision);
    }
    for (name, minutes) in recorded {
        let found = taken.get(name).map(Vec::as_slice).unwrap_or_default();
        if found != [minutes.revision] {
            let what = format!("{of} of revisions {found:?}, records has revision {}", minutes.revision);
            differences.push(difference(name, what));
        }
    }
    for name in taken.keys().filter(|name| !recorded.contains_key(*name)) {
        differences.push(difference(name, format!("{of}, and records has no such minutes")));
    }
}
