//! What lies in the state, decoded.

use jiyao_fault::{Fault, Reason, Result};
use jiyao_ledger::{Lookup, from_json};
use jiyao_names::{Meeting as MeetingName, Minutes, Organ, Seat as SeatName};
use jiyao_proto::attendance::v1::Roll;
use jiyao_rolls::{Directory, Entry, Meeting, RollRules, Seat};
use jiyao_serve::document_of;
use prost::Message as _;

use crate::keys;

/// The documents of this service.
pub(crate) trait View: Lookup {
    /// An organ's rules, or the usual ones.
    fn rules(&self, organ: &Organ) -> Result<RollRules> {
        self.value(&keys::rules(organ))?.map_or_else(|| Ok(RollRules::default()), |kept| from_json(&kept))
    }

    /// How often a directory was changed.
    fn directory_version(&self, organ: &Organ) -> Result<u64> {
        let kept = self.value(&keys::directory_version(organ))?;
        Ok(kept.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes))
    }

    /// An organ's directory, whole.
    fn directory(&self, organ: &Organ) -> Result<Directory> {
        let mut directory = Directory::default();
        for (_, entry) in self.under(&keys::directory(organ))? {
            directory.put(from_json::<Entry>(&entry)?);
        }
        Ok(directory)
    }

    /// A meeting; without it the field is blamed.
    fn meeting(&self, name: &MeetingName, field: &str) -> Result<Meeting> {
        let missing = || Fault::new(Reason::MeetingNotFound).at(field).with("meeting", name);
        from_json(&self.value(&keys::meeting(name))?.ok_or_else(missing)?)
    }

    /// A seat, and the key that it lies under.
    fn seat(&self, name: &SeatName, field: &str) -> Result<(Seat, Vec<u8>)> {
        for is_member in [true, false] {
            let key = keys::seat(name, is_member);
            if let Some(kept) = self.value(&key)? {
                return Ok((from_json(&kept)?, key));
            }
        }
        Err(Fault::new(Reason::SeatNotFound).at(field).with("seat", name))
    }

    /// Seats under a prefix with their names, in the printed order.
    fn seats(&self, meeting: &MeetingName, prefix: &[u8]) -> Result<Vec<(SeatName, Seat)>> {
        let mut found = Vec::new();
        for (key, value) in self.under(prefix)? {
            let number = key.last_chunk().copied().map_or(0, u32::from_be_bytes);
            found.push((SeatName { meeting: meeting.clone(), number }, from_json::<Seat>(&value)?));
        }
        found.sort_by_key(|(name, seat)| (seat.capacity, seat.order, name.number));
        Ok(found)
    }

    /// The roll that minutes state.
    fn roll(&self, minutes: &Minutes, field: &str) -> Result<Roll> {
        let not_stated = || Fault::new(Reason::NotStated).at(field).with("minutes", minutes);
        let found = self.value(&document_of(minutes))?.ok_or_else(not_stated)?;
        Roll::decode(found.as_slice()).map_err(Fault::internal)
    }
}

impl<L: Lookup> View for L {}
