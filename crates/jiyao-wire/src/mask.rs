//! Read masks (AIP-157): some fields of an encoded message, without decoding it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiyao_fault::{Fault, Result};
use prost::Message as _;
use prost::bytes::Buf;
use prost::encoding::{WireType, decode_key, decode_varint, encode_varint};
use prost_types::field_descriptor_proto::Label;
use prost_types::{DescriptorProto, FieldMask, FileDescriptorSet};

/// Which fields of a message are wanted, by number, and what of each; all where none is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mask(BTreeMap<u32, Mask>);

static MESSAGES: LazyLock<BTreeMap<String, DescriptorProto>> = LazyLock::new(|| {
    let set = FileDescriptorSet::decode(jiyao_proto::DESCRIPTORS).unwrap_or_default();
    let mut messages = BTreeMap::new();
    for file in set.file {
        let package = file.package().to_owned();
        messages.extend(
            file.message_type.into_iter().map(|message| (format!(".{package}.{}", message.name()), message)),
        );
    }
    messages
});

impl Mask {
    /// The mask of a request for a message such as `.jiyao.records.v1.Minutes`. None, or an empty one: all fields.
    ///
    /// # Errors
    /// `FIELD_INVALID` on `read_mask.paths[i]` for a path that the message does not have, or that goes into what is no
    /// message.
    pub fn of(mask: Option<&FieldMask>, message: &str) -> Result<Self> {
        let mut root = Self::default();
        for (at, path) in mask.iter().flat_map(|mask| &mask.paths).enumerate() {
            let numbers = numbers(path, message)
                .ok_or_else(|| Fault::invalid(&format!("read_mask.paths[{at}]"), path))?;
            root.add(&numbers);
        }
        Ok(root)
    }

    fn add(&mut self, path: &[u32]) {
        let Some((first, rest)) = path.split_first() else {
            self.0.clear();
            return;
        };
        // What was wanted whole stays whole.
        let is_whole = self.0.get(first).is_some_and(Self::is_all);
        if !is_whole {
            self.0.entry(*first).or_default().add(rest);
        }
    }

    /// Whether every field is wanted.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether anything of the field of this number is wanted.
    #[must_use]
    pub fn wants(&self, number: u32) -> bool {
        self.is_all() || self.0.contains_key(&number)
    }

    /// The wanted fields of an encoded message, encoded.
    ///
    /// # Errors
    /// `INTERNAL` for bytes that are no message.
    pub fn keep(&self, encoded: &[u8]) -> Result<Vec<u8>> {
        if self.is_all() {
            return Ok(encoded.to_vec());
        }
        let (mut rest, mut kept) = (encoded, Vec::new());
        while rest.has_remaining() {
            let field = rest;
            let (number, wire_type) = decode_key(&mut rest).map_err(Fault::internal)?;
            let key = &field[..field.len() - rest.len()];
            let value = value(wire_type, &mut rest)?;
            match self.0.get(&number) {
                None => {}
                Some(part) if wire_type == WireType::LengthDelimited && !part.is_all() => {
                    let part = part.keep(value)?;
                    kept.extend_from_slice(key);
                    encode_varint(part.len() as u64, &mut kept);
                    kept.extend_from_slice(&part);
                }
                Some(_) => kept.extend_from_slice(&field[..field.len() - rest.len()]),
            }
        }
        Ok(kept)
    }
}

/// Takes a field's value off the front; of one with a length, what comes after that.
fn value<'b>(wire_type: WireType, rest: &mut &'b [u8]) -> Result<&'b [u8]> {
    let whole = *rest;
    let length = match wire_type {
        WireType::Varint => {
            let mut after = whole;
            decode_varint(&mut after).map_err(Fault::internal)?;
            whole.len() - after.len()
        }
        WireType::SixtyFourBit => 8,
        WireType::ThirtyTwoBit => 4,
        WireType::LengthDelimited => {
            let length = decode_varint(rest).map_err(Fault::internal)?;
            usize::try_from(length).map_err(Fault::internal)?
        }
        WireType::StartGroup | WireType::EndGroup => return Err(Fault::internal("a group in a message")),
    };
    let value = rest.get(..length).ok_or_else(|| Fault::internal("a message is cut short"))?;
    *rest = &rest[length..];
    Ok(value)
}

/// Numbers of a path such as `facts.meeting`.
fn numbers(path: &str, message: &str) -> Option<Vec<u32>> {
    let (mut numbers, mut message) = (Vec::new(), Some(message.to_owned()));
    for name in path.split('.') {
        let field = MESSAGES.get(&message?)?.field.iter().find(|field| field.name() == name)?;
        numbers.push(u32::try_from(field.number()).ok()?);
        // A list of messages has no fields of its own (AIP-161).
        message = field.type_name.clone().filter(|_| field.label() != Label::Repeated);
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use jiyao_proto::records::v1::{Fact, Facts, Life, Meeting, Minutes};

    use super::*;

    fn minutes() -> Minutes {
        let fact = |value: &str| Some(Fact { value: value.into(), ..Fact::default() });
        Minutes {
            name: "organs/a/minutes/b".into(),
            revision: 300,
            digest: vec![7; 32],
            facts: Some(Facts {
                issuer: fact("某府"),
                meeting: Some(Meeting {
                    kind: fact("常务会议"),
                    date: fact("2026-01-01"),
                    ..Meeting::default()
                }),
                ..Facts::default()
            }),
            life: Some(Life { version: 2, ..Life::default() }),
            ..Minutes::default()
        }
    }

    fn kept(paths: &[&str]) -> Minutes {
        let mask = FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() };
        let mask = Mask::of(Some(&mask), ".jiyao.records.v1.Minutes").unwrap();
        Minutes::decode(mask.keep(&minutes().encode_to_vec()).unwrap().as_slice()).unwrap()
    }

    #[test]
    fn what_is_named_is_kept_and_nothing_else() {
        assert_eq!(kept(&[]), minutes());
        let all = minutes();
        assert_eq!(
            kept(&["revision", "digest"]),
            Minutes { revision: 300, digest: all.digest.clone(), ..Minutes::default() }
        );
        let facts = all.facts.unwrap();
        let meeting = facts.meeting.clone().unwrap();
        let only = |facts: Facts| Minutes { facts: Some(facts), ..Minutes::default() };
        let date = Meeting { date: meeting.date.clone(), ..Meeting::default() };
        assert_eq!(kept(&["facts.meeting.date"]), only(Facts { meeting: Some(date), ..Facts::default() }));
        let whole = only(Facts { meeting: Some(meeting), ..Facts::default() });
        assert_eq!(kept(&["facts.meeting", "facts.meeting.date"]), whole, "what is wanted whole stays whole");
        assert_eq!(kept(&["facts.meeting.date", "facts.meeting"]), whole, "in either order");
        assert_eq!(kept(&["facts"]), only(facts));
    }

    #[test]
    fn paths_that_lead_nowhere_are_refused_by_place() {
        for path in ["", "nothing", "facts.nothing", "name.x", "doubts.code", "facts."] {
            let mask = FieldMask { paths: vec!["name".into(), path.into()] };
            let fault = Mask::of(Some(&mask), ".jiyao.records.v1.Minutes").unwrap_err();
            assert_eq!(fault.fields(), ["read_mask.paths[1]"], "{path}");
        }
    }

    #[test]
    fn bytes_cut_anywhere_are_kept_or_refused_but_never_a_panic() {
        let mask = Mask(BTreeMap::from([(9, Mask(BTreeMap::from([(3, Mask::default())])))]));
        let encoded = minutes().encode_to_vec();
        for end in 0..encoded.len() {
            let _ = mask.keep(&encoded[..end]);
        }
        assert!(mask.keep(&encoded[..encoded.len() - 1]).is_err(), "cut inside the last field");
    }
}
