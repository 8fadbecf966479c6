//! Resource names and ids: the only parser and printer of `organs/{organ}/minutes/{minutes}` and its kin.
//!
//! Parsing takes the field path that the name came from, so that a refusal can point at it.

use std::fmt;

use jiyao_fault::{Fault, Result};
use uuid::Uuid;

/// `organs/{organ}`: the id is 2 to 63 of a-z, 0-9 and `-`, beginning with a letter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Organ {
    id: String,
}

impl Organ {
    /// Takes an id chosen by a person. `field` is blamed when it is not of the form.
    pub fn from_id(id: &str, field: &str) -> Result<Self> {
        Self::of_id(id).ok_or_else(|| Fault::malformed(field, id, "[a-z][a-z0-9-]{1,62}"))
    }

    fn of_id(id: &str) -> Option<Self> {
        let form = (2..=63).contains(&id.len())
            && id.starts_with(|c: char| c.is_ascii_lowercase())
            && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        form.then(|| Self { id: id.to_owned() })
    }

    /// An id chosen by the system.
    #[must_use]
    pub fn from_uuid(id: Uuid) -> Self {
        Self { id: format!("o-{}", id.simple()) }
    }

    /// Reads `organs/{organ}`.
    pub fn parse(name: &str, field: &str) -> Result<Self> {
        Self::of_name(required(name, field)?).ok_or_else(|| Fault::malformed(field, name, "organs/{organ}"))
    }

    fn of_name(name: &str) -> Option<Self> {
        name.strip_prefix("organs/").and_then(Self::of_id)
    }

    /// The last part.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Display for Organ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "organs/{}", self.id)
    }
}

/// Whose minutes: one organ's, or `organs/-` for all that the caller may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every organ.
    All,
    /// One organ.
    One(Organ),
}

impl Scope {
    /// Reads `organs/{organ}` or `organs/-`.
    pub fn parse(name: &str, field: &str) -> Result<Self> {
        if name == "organs/-" { Ok(Self::All) } else { Organ::parse(name, field).map(Self::One) }
    }

    /// Whether what belongs to an organ is meant too.
    #[must_use]
    pub fn has(&self, organ: &Organ) -> bool {
        match self {
            Self::All => true,
            Self::One(one) => one == organ,
        }
    }
}

/// Names of things that belong to an organ and are told apart by a UUID.
macro_rules! of_organs {
    ($($(#[$doc:meta])* $name:ident = $part:literal, $one:literal;)*) => {
        $($(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            /// Whose.
            pub organ: Organ,
            /// Which.
            pub id: Uuid,
        }

        impl $name {
            const FORM: &str = concat!("organs/{organ}/", $part, "/{", $one, "}");

            /// Reads the name.
            pub fn parse(name: &str, field: &str) -> Result<Self> {
                Self::of_name(required(name, field)?).ok_or_else(|| Fault::malformed(field, name, Self::FORM))
            }

            fn of_name(name: &str) -> Option<Self> {
                let (organ, id) = name.split_once(concat!("/", $part, "/"))?;
                let organ = Organ::of_name(organ)?;
                let id = Uuid::try_parse(id).ok().filter(|uuid| uuid.to_string() == id)?;
                Some(Self { organ, id })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!("{}/", $part, "/{}"), self.organ, self.id)
            }
        })*
    };
}

of_organs! {
    /// `organs/{organ}/minutes/{minutes}`.
    Minutes = "minutes", "minutes";
    /// `organs/{organ}/matters/{matter}`.
    Matter = "matters", "matter";
    /// `organs/{organ}/meetings/{meeting}`.
    Meeting = "meetings", "meeting";
    /// `organs/{organ}/deliveries/{delivery}`.
    Delivery = "deliveries", "delivery";
    /// `organs/{organ}/disclosureRequests/{request}`.
    DisclosureRequest = "disclosureRequests", "request";
}

impl Minutes {
    /// Reads the name of a part of minutes, such as `…/roll`.
    pub fn parse_part(name: &str, part: &str, field: &str) -> Result<Self> {
        let whole = required(name, field)?.strip_suffix(part).and_then(|rest| rest.strip_suffix('/'));
        let form = || Fault::malformed(field, name, &format!("{}/{part}", Self::FORM));
        whole.and_then(Self::of_name).ok_or_else(form)
    }
}

/// `organs/{organ}/meetings/{meeting}/seats/{seat}`: the last part is a number from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seat {
    /// Of which meeting.
    pub meeting: Meeting,
    /// Which.
    pub number: u32,
}

impl Seat {
    /// Reads the name.
    pub fn parse(name: &str, field: &str) -> Result<Self> {
        let bad = || Fault::malformed(field, name, &format!("{}/seats/{{seat}}", Meeting::FORM));
        let (meeting, number) = required(name, field)?.split_once("/seats/").ok_or_else(bad)?;
        let meeting = Meeting::of_name(meeting).ok_or_else(bad)?;
        let read = number.parse().ok().filter(|read: &u32| *read > 0 && read.to_string() == number);
        Ok(Self { meeting, number: read.ok_or_else(bad)? })
    }
}

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/seats/{}", self.meeting, self.number)
    }
}

/// Last part of a roll's name.
pub const ROLL: &str = "roll";
/// Last part of a distribution list's name.
pub const DISTRIBUTION_LIST: &str = "distributionList";

/// `sources/{sha256}`: an uploaded file by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// SHA-256 of the bytes.
    pub digest: [u8; 32],
}

impl Source {
    /// Reads the name.
    pub fn parse(name: &str, field: &str) -> Result<Self> {
        let digest = required(name, field)?.strip_prefix("sources/").and_then(unhex);
        digest
            .map(|digest| Self { digest })
            .ok_or_else(|| Fault::malformed(field, name, "sources/{sha256 in hex}"))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sources/{}", hex(&self.digest))
    }
}

fn required<'n>(name: &'n str, field: &str) -> Result<&'n str> {
    if name.is_empty() { Err(Fault::required(field)) } else { Ok(name) }
}

/// Bytes as lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 32 bytes from 64 lower-case hexadecimal digits.
#[must_use]
pub fn unhex(text: &str) -> Option<[u8; 32]> {
    let form = text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)).filter(|_| form) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    form.then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_print_as_they_parse() {
        let name = "organs/yunxi/minutes/018f2f6e-7c1c-7aaa-8bbb-0123456789ab";
        assert_eq!(Minutes::parse(name, "name").unwrap().to_string(), name);
        let part = Minutes::parse_part(&format!("{name}/roll"), ROLL, "name").unwrap();
        assert_eq!(part.to_string(), name);
        let source = format!("sources/{}", "0f".repeat(32));
        assert_eq!(Source::parse(&source, "source").unwrap().to_string(), source);
        let matter = name.replace("minutes", "matters");
        assert_eq!(Matter::parse(&matter, "name").unwrap().to_string(), matter);
        assert!(Matter::parse(name, "name").is_err());
        let seat = format!("{}/seats/12", name.replace("minutes", "meetings"));
        assert_eq!(Seat::parse(&seat, "name").unwrap().to_string(), seat);
        for wrong in [seat.replace("12", "012"), seat.replace("/12", "/0"), name.to_owned()] {
            assert!(Seat::parse(&wrong, "name").is_err(), "{wrong}");
        }
        assert_eq!(Scope::parse("organs/-", "parent").unwrap(), Scope::All);
    }

    #[test]
    fn other_forms_are_refused_with_their_field() {
        for name in [
            "",
            "organs/",
            "organs/-",
            "organs/A",
            "organs/a",
            "organ/ab",
            "organs/ab/minutes/x",
            "organs/a_b",
        ] {
            let fault = Organ::parse(name, "parent").unwrap_err();
            assert_eq!(fault.fields(), ["parent"], "{name}");
            let form = fault.metadata().get("form").map(String::as_str);
            assert_eq!(form, (!name.is_empty()).then_some("organs/{organ}"), "{name}");
        }
        let form = |fault: Fault| fault.metadata()["form"].clone();
        let roll = Minutes::parse_part("organs/yunxi", ROLL, "name").unwrap_err();
        assert_eq!(form(roll), "organs/{organ}/minutes/{minutes}/roll");
        let seat = Seat::parse("organs/yunxi/meetings/7", "name").unwrap_err();
        assert_eq!(form(seat), "organs/{organ}/meetings/{meeting}/seats/{seat}");
        let upper = "organs/yunxi/minutes/018F2F6E-7C1C-7AAA-8BBB-0123456789AB";
        assert!(Minutes::parse(upper, "name").is_err(), "one name has one spelling");
        assert!(Source::parse("sources/zz", "source").is_err());
        assert!(Minutes::parse_part("organs/yunxi/minutes/x", ROLL, "name").is_err());
    }
}
