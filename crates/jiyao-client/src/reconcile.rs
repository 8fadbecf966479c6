use std::collections::BTreeMap;

use crate::{Client, DeliveryState, Error, ListMinutes, ReceiptKind, verify_receipt};

/// What two services do not agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Name of what it is about.
    pub name: String,
    /// What stands where, and what does not.
    pub what: String,
}

impl Client {
    /// Holds the three services against each other: every minutes of records, in its newest revision, has one roll in
    /// attendance and one list in distribution, and they have none besides; every delivery that is signed for has
    /// exactly one receipt that says so, which verifies. Ask it when the followers have caught up, or expect those that
    /// are on their way.
    ///
    /// # Errors
    /// Those of reading.
    pub async fn reconcile(&self, organs: &str) -> Result<Vec<Difference>, Error> {
        let mut recorded = BTreeMap::new();
        let mut query = ListMinutes { page_size: 200, ..ListMinutes::of(organs) };
        loop {
            let page = self.list_minutes(query.clone()).await?;
            for summary in page.entries {
                let revision = self.minutes(&summary.name, None).await?.revision;
                recorded.insert(summary.name, revision);
            }
            query.page = page.next;
            if query.page.is_none() {
                break;
            }
        }
        let (mut rolls, mut page) = (BTreeMap::<String, Vec<u64>>::new(), None);
        loop {
            let found = self.list_rolls(organs, page.as_deref()).await?;
            for roll in found.entries {
                rolls.entry(roll.minutes).or_default().push(roll.revision);
            }
            page = found.next;
            if page.is_none() {
                break;
            }
        }
        let mut lists = BTreeMap::<String, Vec<u64>>::new();
        loop {
            let found = self.list_distribution_lists(organs, page.as_deref()).await?;
            for list in found.entries {
                lists.entry(list.minutes).or_default().push(list.revision);
            }
            page = found.next;
            if page.is_none() {
                break;
            }
        }
        let mut differences = Vec::new();
        for (of, taken_over) in [("attendance: roll", &rolls), ("distribution: list", &lists)] {
            for (name, revision) in &recorded {
                let found = taken_over.get(name).map(Vec::as_slice).unwrap_or_default();
                if found != [*revision] {
                    let what = format!("{of} of revisions {found:?}, records has revision {revision}");
                    differences.push(Difference { name: name.clone(), what });
                }
            }
            for name in taken_over.keys().filter(|name| !recorded.contains_key(*name)) {
                let what = format!("{of}, and records has no such minutes");
                differences.push(Difference { name: name.clone(), what });
            }
        }
        let keys = self.public_keys("receipt").await?;
        for minutes in recorded.keys() {
            loop {
                let found = self.list_deliveries(minutes, false, page.as_deref()).await?;
                for delivery in found.entries {
                    let receipts = self.receipts(&delivery.name).await?;
                    let said = receipts.iter().filter_map(|receipt| verify_receipt(receipt, &keys).ok());
                    let signed = said.filter(|said| said.kind == ReceiptKind::SignedFor).count();
                    let wanted = usize::from(delivery.state == DeliveryState::Signed);
                    if signed < wanted || signed > 1 {
                        let what =
                            format!("distribution: {signed} receipts of a signature, {wanted} expected");
                        differences.push(Difference { name: delivery.name, what });
                    }
                }
                page = found.next;
                if page.is_none() {
                    break;
                }
            }
        }
        Ok(differences)
    }
}
