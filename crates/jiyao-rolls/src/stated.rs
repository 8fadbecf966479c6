//! The roll that minutes state.

use jiyao_reader::{Attendee, Facts};

/// In what capacity someone is on a roll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// 出席.
    Present,
    /// 列席.
    Observer,
    /// 请假 or 缺席.
    Absent,
    /// 记录.
    Recorder,
}

/// One entry as stated. At least one of unit and person is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stated {
    /// Capacity.
    pub presence: Presence,
    /// Unit as printed; empty where none is.
    pub unit: String,
    /// Name; empty for a unit's unnamed representative.
    pub person: String,
}

/// The roll that minutes state: present, observers, absent, recorders, each in the order of the text.
#[must_use]
pub fn stated(facts: &Facts) -> Vec<Stated> {
    let people = &facts.attendance;
    let listed = |presence, list: &[Attendee]| {
        let entry = |attendee: &Attendee| Stated {
            presence,
            unit: attendee.unit.as_ref().map(|unit| unit.value.to_string()).unwrap_or_default(),
            person: attendee.name.as_ref().map(|name| name.value.to_string()).unwrap_or_default(),
        };
        list.iter().map(entry).collect::<Vec<_>>()
    };
    let recorder = |name: &jiyao_reader::Fact| Stated {
        presence: Presence::Recorder,
        unit: String::new(),
        person: name.value.to_string(),
    };
    [
        listed(Presence::Present, &people.present),
        listed(Presence::Observer, &people.observers),
        listed(Presence::Absent, &people.absent),
        people.recorders.iter().map(recorder).collect(),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_roll_keeps_order_capacity_and_the_unnamed() {
        let text = "出席：方知远\n列席：市教育局章树声\n市中级人民法院的代表\n请假：贺兰舟\n记录：阮微\n";
        let roll = stated(&jiyao_reader::read(text, &jiyao_reader::Words::default()).facts);
        let short: Vec<_> =
            roll.iter().map(|entry| (entry.presence, entry.unit.as_str(), entry.person.as_str())).collect();
        assert_eq!(
            short,
            [
                (Presence::Present, "", "方知远"),
                (Presence::Observer, "市教育局", "章树声"),
                (Presence::Observer, "市中级人民法院", ""),
                (Presence::Absent, "", "贺兰舟"),
                (Presence::Recorder, "", "阮微"),
            ]
        );
    }
}
