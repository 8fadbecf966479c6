//! Whom the list that minutes state names.

use jiyao_reader::Facts;

/// Whom a line of a distribution list names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecipientKind {
    /// One body.
    Unit,
    /// A class that stands for many bodies (分送类别), to be expanded as of the issue date.
    Class,
}

/// One line of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// As printed, a shared suffix written out.
    pub title: String,
    /// Body or class.
    pub kind: RecipientKind,
}

/// Words that make a class of a name.
const CLASS: [&str; 4] = ["各", "有关", "与会", "成员单位"];

/// The list that minutes state, in the order of the text.
#[must_use]
pub fn stated(facts: &Facts) -> Vec<Recipient> {
    let recipient = |title: &str| {
        let kind = if CLASS.iter().any(|word| title.contains(word)) {
            RecipientKind::Class
        } else {
            RecipientKind::Unit
        };
        Recipient { title: title.to_owned(), kind }
    };
    facts.distribution.iter().map(|fact| recipient(&fact.value)).collect()
}

/// Units on the roll that minutes state: whom 与会各单位 means. Each once, in the order of the text.
#[must_use]
pub fn attending(facts: &Facts) -> Vec<String> {
    let people = &facts.attendance;
    let mut found: Vec<String> = Vec::new();
    for unit in people.present.iter().chain(&people.observers).filter_map(|attendee| attendee.unit.as_ref()) {
        if !found.iter().any(|known| *known == unit.value) {
            found.push(unit.value.to_string());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_told_from_bodies() {
        let text = "分送：各县、区人民政府，东湖高新区、西山开发区管委会；与会各单位。\n";
        let list = stated(&jiyao_reader::read(text, &jiyao_reader::Words::default()).facts);
        let short: Vec<_> = list.iter().map(|line| (line.title.as_str(), line.kind)).collect();
        assert_eq!(
            short,
            [
                ("各县、区人民政府", RecipientKind::Class),
                ("东湖高新区管委会", RecipientKind::Unit),
                ("西山开发区管委会", RecipientKind::Unit),
                ("与会各单位", RecipientKind::Class),
            ]
        );
    }
}
