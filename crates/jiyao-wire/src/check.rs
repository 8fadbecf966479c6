//! The forms of requests: all that is wrong is found before anything else looks at them.

use jiyao_calendar::Timestamp;
use jiyao_fault::{Fault, Result};
use jiyao_names as names;
use jiyao_proto::checks::{Checked, Checks, Resource};
use uuid::Uuid;

/// Checks a request by what its fields say in proto.
///
/// # Errors
/// `FIELD_REQUIRED`, `FIELD_INVALID`, with every field that is at fault.
pub fn check(request: &impl Checked) -> Result<()> {
    let mut found = Found::default();
    request.check(&mut found);
    found.fault.map_or(Ok(()), Err)
}

/// Most faults that are looked for: a status names no more, and a request may have half a million.
const MOST: usize = 20;

/// The faults so far.
#[derive(Default)]
struct Found {
    /// The messages that the one looked at is in.
    within: Vec<(&'static str, Option<usize>)>,
    fault: Option<Fault>,
    count: usize,
}

impl Found {
    fn path(&self, field: &'static str, at: Option<usize>) -> String {
        let parts = self.within.iter().copied().chain([(field, at)]);
        let part = |(field, at): (&str, Option<usize>)| match at {
            Some(at) => format!("{field}[{at}]"),
            None => field.to_owned(),
        };
        parts.map(part).collect::<Vec<_>>().join(".")
    }

    /// Notes a fault of a field, at its place where the field has many.
    fn add(&mut self, (field, at): (&'static str, Option<usize>), fault: impl FnOnce(&str) -> Fault) {
        if self.count == MOST {
            return;
        }
        let fault = fault(&self.path(field, at));
        self.fault = Some(match self.fault.take() {
            Some(first) => first.and(fault),
            None => fault,
        });
        self.count += 1;
    }

    /// Notes what somebody else who looked at a field says.
    fn parsed<T>(&mut self, field: &'static str, parsed: impl FnOnce(&str) -> Result<T>) {
        if self.count == MOST {
            return;
        }
        // Most names are right, and their paths are not needed.
        let parsed = if self.within.is_empty() { parsed(field) } else { parsed(&self.path(field, None)) };
        if let Err(fault) = parsed {
            self.add((field, None), |_| fault);
        }
    }
}

impl Checks for Found {
    fn missing(&mut self, field: &'static str) {
        self.add((field, None), Fault::required);
    }

    fn name(&mut self, field: &'static str, value: &str, of: Resource) {
        self.parsed(field, |field| match of {
            Resource::Organ => names::Organ::parse(value, field).map(drop),
            Resource::Minutes => names::Minutes::parse(value, field).map(drop),
            Resource::Roll => names::Minutes::parse_part(value, names::ROLL, field).map(drop),
            Resource::DistributionList => {
                names::Minutes::parse_part(value, names::DISTRIBUTION_LIST, field).map(drop)
            }
            Resource::Matter => names::Matter::parse(value, field).map(drop),
            Resource::Meeting => names::Meeting::parse(value, field).map(drop),
            Resource::Seat => names::Seat::parse(value, field).map(drop),
            Resource::Delivery => names::Delivery::parse(value, field).map(drop),
            Resource::DisclosureRequest => names::DisclosureRequest::parse(value, field).map(drop),
        });
    }

    fn scope(&mut self, field: &'static str, value: &str) {
        self.parsed(field, |field| names::Scope::parse(value, field));
    }

    fn date(&mut self, field: &'static str, value: &str) {
        self.parsed(field, |field| crate::date_from(value, field));
    }

    fn sha256(&mut self, field: &'static str, value: &str) {
        if names::unhex(value).is_none() {
            self.add((field, None), |path| Fault::malformed(path, value, "64 × [0-9a-f]"));
        }
    }

    fn uuid(&mut self, field: &'static str, value: &str) {
        if Uuid::try_parse(value).is_err() {
            let form = "018f2f6e-7c1c-7aaa-8bbb-0123456789ab";
            self.add((field, None), |path| Fault::malformed(path, value, form));
        }
    }

    fn longest(&mut self, field: &'static str, value: &str, most: usize) {
        if value.len() > most {
            let said = format!("{} bytes, more than {most}", value.len());
            self.add((field, None), |path| Fault::invalid(path, said));
        }
    }

    fn bytes(&mut self, field: &'static str, value: &[u8], wanted: usize) {
        if value.len() != wanted {
            let said = format!("{} bytes, not {wanted}", value.len());
            self.add((field, None), |path| Fault::invalid(path, said));
        }
    }

    fn instant(&mut self, field: &'static str, value: &prost_types::Timestamp) {
        if Timestamp::new(value.seconds, value.nanos).is_err() {
            let said = format!("{}.{:09}", value.seconds, value.nanos);
            self.add((field, None), |path| Fault::invalid(path, said));
        }
    }

    fn size(&mut self, field: &'static str, value: i32) {
        if value < 0 {
            self.add((field, None), |path| Fault::invalid(path, value));
        }
    }

    fn known(&mut self, field: &'static str, at: Option<usize>, is_known: bool, value: i32) {
        if !is_known {
            self.add((field, at), |path| Fault::invalid(path, value));
        }
    }

    fn within(&mut self, field: &'static str, at: Option<usize>, message: &dyn Checked) {
        if self.count < MOST {
            self.within.push((field, at));
            message.check(self);
            self.within.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use jiyao_fault::Reason;
    use jiyao_proto::attendance::v1 as attendance;
    use jiyao_proto::journal::v1::Cursor;
    use jiyao_proto::records::v1 as records;

    use super::*;

    fn found(request: &impl Checked) -> Vec<(Reason, String)> {
        let Err(fault) = check(request) else { return Vec::new() };
        fault.violations().map(|one| (one.reason(), one.fields().join(" "))).collect()
    }

    fn is(reason: Reason, path: &str) -> (Reason, String) {
        (reason, path.to_owned())
    }

    #[test]
    fn every_field_that_is_wrong_is_named_at_once() {
        use Reason::{FieldInvalid, FieldRequired};
        let request = records::CreateMatterRequest {
            minutes: "organs/linlan".into(),
            text: " \n".into(),
            content: "字".repeat(3000),
            due: "2025-02-30".into(),
            milestones: vec![
                records::Milestone::default(),
                records::Milestone { what: "建成".into(), due: "明年".into(), ..Default::default() },
            ],
            next_act: 77,
            request_id: "once".into(),
            ..Default::default()
        };
        let expected = [
            is(FieldInvalid, "minutes"),
            is(FieldRequired, "text"),
            is(FieldInvalid, "content"),
            is(FieldRequired, "lead"),
            is(FieldInvalid, "due"),
            is(FieldRequired, "milestones[0].what"),
            is(FieldRequired, "milestones[0].due"),
            is(FieldInvalid, "milestones[1].due"),
            is(FieldInvalid, "next_act"),
            is(FieldInvalid, "request_id"),
        ];
        assert_eq!(found(&request), expected);
    }

    #[test]
    fn a_request_that_is_wrong_half_a_million_times_is_refused_for_some() {
        let seats = vec![attendance::Item::default(); 500_000];
        let request = attendance::SetAgendaRequest { items: seats, ..Default::default() };
        let said = found(&request);
        assert_eq!((said.len(), said[1].1.as_str()), (MOST, "items[0].title"));
    }

    #[test]
    fn sizes_instants_cursors_and_lists_of_enums_have_forms_too() {
        use Reason::{FieldInvalid, FieldRequired};
        let list = records::ListMinutesRequest {
            parent: "organs/-".into(),
            page_size: -1,
            read_after: Some(Cursor { journal: "j".into(), sequence: 3, hash: vec![1] }),
            ..Default::default()
        };
        let expected = ["page_size", "read_after.journal", "read_after.hash"];
        assert_eq!(found(&list), expected.map(|path| is(FieldInvalid, path)));
        let at = prost_types::Timestamp { seconds: i64::MAX, nanos: 0 };
        let name = format!("organs/linlan/meetings/{}", Uuid::nil());
        let quorum = attendance::GetQuorumRequest { name, at: Some(at), read_after: None };
        assert_eq!(found(&quorum), [is(FieldInvalid, "at")]);
        let rule =
            attendance::QuorumRule { text: "过半数".into(), needs: vec![1, 99], ..Default::default() };
        let rules = attendance::RollRules { level: 99, quorums: vec![rule], ..Default::default() };
        let request = attendance::SetRollRulesRequest {
            organ: "organs/linlan".into(),
            rules: Some(rules),
            ..Default::default()
        };
        let expected = [
            is(FieldInvalid, "rules.level"),
            is(FieldRequired, "rules.quorums[0].base"),
            is(FieldRequired, "rules.quorums[0].comparison"),
            is(FieldInvalid, "rules.quorums[0].needs[1]"),
            is(FieldRequired, "rules.members_ask"),
            is(FieldRequired, "rules.observers_ask"),
        ];
        assert_eq!(found(&request), expected);
    }
}
