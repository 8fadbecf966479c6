//! The board: matters counted by unit, month or meeting, lit as of a day. It is made of counters, so it takes the same
//! time however many matters there are; it counts those of minutes with a level too, and names none of them.

use jiyao_fault::{Fault, Result};
use jiyao_ledger::Reading;
use jiyao_matters::State;
use jiyao_names::{Minutes, Organ};
use jiyao_proto::records::v1::{self as api, get_board_request::By};
use jiyao_serve::Principal;

use crate::follow_up::{BY_DAY, BY_MEETING, BY_MONTH, BY_UNIT, PART};
use crate::keys;
use crate::matters::{House, house, parent, summaries};
use crate::sight::MatterSight;

/// Most meetings of a board.
const MOST_MEETINGS: usize = 200;

pub(crate) fn board(
    view: &Reading<'_>,
    principal: &Principal,
    request: &api::GetBoardRequest,
    by: By,
) -> Result<api::GetBoardResponse> {
    let sight = MatterSight::of(view, principal)?;
    let (organ, _) = parent(view, &request.parent, &sight)?;
    let house = house(view, &organ, &request.as_of)?;
    let text = |key: &[u8]| String::from_utf8(key.to_vec()).map_err(Fault::internal);
    let mut units: Vec<api::BoardRow> = rows(view, &organ, BY_UNIT, usize::MAX)?
        .into_iter()
        .map(|row| row.into_message(text))
        .collect::<Result<_>>()?;
    light_units(view, &organ, &house, &mut units)?;
    let total = sum(&units);
    let rows = match by {
        By::Unspecified | By::Unit => units,
        By::Month => rows(view, &organ, BY_MONTH, usize::MAX)?
            .into_iter()
            .map(|row| row.into_message(|key| text(&inverted(key))))
            .collect::<Result<_>>()?,
        By::Meeting => {
            let mut found = Vec::new();
            for row in rows(view, &organ, BY_MEETING, MOST_MEETINGS)? {
                let mut row = row.into_message(|key| meeting_name(&organ, key))?;
                if !sight.sees_all_of(view, &row.of)? {
                    continue;
                }
                let prefix = keys::by_minutes(&Minutes::parse(&row.of, "minutes")?);
                for summary in summaries(view, &prefix, &house)? {
                    add_light(&mut row.lights, &summary.light, 1);
                }
                found.push(row);
            }
            found
        }
    };
    Ok(api::GetBoardResponse { rows, total: Some(total), as_of: house.today.to_string(), sequence: 0 })
}

fn inverted(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| 0xff - byte).collect()
}

/// Name of the minutes of a row by meeting.
fn meeting_name(organ: &Organ, key: &[u8]) -> Result<String> {
    let id = key.get(10..).and_then(|id| id.try_into().ok()).map(uuid::Uuid::from_bytes);
    let id = id.ok_or_else(|| Fault::internal("a counter's key is cut"))?;
    Ok(Minutes { organ: organ.clone(), id }.to_string())
}

/// Counters of one row by state.
struct Counted {
    key: Vec<u8>,
    states: Vec<(State, u64)>,
}

impl Counted {
    /// As a message, of what its key names.
    fn into_message(self, name: impl Fn(&[u8]) -> Result<String>) -> Result<api::BoardRow> {
        let states = self
            .states
            .iter()
            .map(|(state, count)| api::StateCount {
                state: jiyao_wire::state_to(*state).into(),
                count: *count,
            })
            .collect();
        Ok(api::BoardRow {
            of: name(&self.key)?,
            total: self.states.iter().map(|(_, count)| count).sum(),
            states,
            lights: Vec::new(),
        })
    }
}

fn count_of(value: &[u8]) -> u64 {
    value.try_into().map_or(0, |bytes| u64::try_from(i64::from_be_bytes(bytes)).unwrap_or(0))
}

/// The first rows of a kind, in the order of their keys.
fn rows(view: &Reading<'_>, organ: &Organ, kind: u8, most: usize) -> Result<Vec<Counted>> {
    let prefix = keys::counts(organ, kind);
    let mut found: Vec<Counted> = Vec::new();
    for pair in view.scan(&prefix, &[]) {
        let (key, value) = pair?;
        let Some((state, row)) = key[prefix.len()..].split_last() else { continue };
        let Some(row) = row.strip_suffix(&[PART]) else { continue };
        let Some(state) = State::ALL.get(usize::from(*state)) else { continue };
        let is_full = found.len() == most;
        match found.last_mut().filter(|last| last.key == row) {
            Some(last) => last.states.push((*state, count_of(&value))),
            None if is_full => break,
            None => found.push(Counted { key: row.to_vec(), states: vec![(*state, count_of(&value))] }),
        }
    }
    Ok(found)
}

fn add_light(lights: &mut Vec<api::LightCount>, light: &str, count: u64) {
    if light.is_empty() || count == 0 {
        return;
    }
    match lights.iter_mut().find(|known| known.light == light) {
        Some(known) => known.count += count,
        None => lights.push(api::LightCount { light: light.to_owned(), count }),
    }
}

/// Lights of units: the days up to the widest threshold are looked at one by one, what is due later is calm.
fn light_units(view: &Reading<'_>, organ: &Organ, house: &House, units: &mut [api::BoardRow]) -> Result<()> {
    let prefix = keys::counts(organ, BY_DAY);
    let widest = house.rules.lights.last().map_or(-1, |light| light.days_left);
    let until = jiyao_calendar::days_later(house.today, widest).to_string();
    for pair in view.scan(&prefix, &[]) {
        let (key, value) = pair?;
        let Some((day, unit)) = key[prefix.len()..].split_at_checked(10) else { continue };
        if day > until.as_bytes() {
            break;
        }
        let day = std::str::from_utf8(day).ok().and_then(jiyao_calendar::parse_iso);
        let light = house.rules.light_of(State::Underway, day, house.today).unwrap_or_default();
        let unit = unit.get(1..).unwrap_or_default();
        if let Ok(at) = units.binary_search_by(|row| row.of.as_bytes().cmp(unit)) {
            add_light(&mut units[at].lights, &light, count_of(&value));
        }
    }
    for row in units {
        let is_open = |count: &&api::StateCount| {
            jiyao_wire::state_from(count.state)
                .is_some_and(|state| !state.is_end() && state != State::Suspended)
        };
        let open: u64 = row.states.iter().filter(is_open).map(|count| count.count).sum();
        let lit: u64 = row.lights.iter().map(|light| light.count).sum();
        add_light(&mut row.lights, &house.rules.calm, open.saturating_sub(lit));
    }
    Ok(())
}

fn sum(rows: &[api::BoardRow]) -> api::BoardRow {
    let mut total = api::BoardRow::default();
    for row in rows {
        total.total += row.total;
        for count in &row.states {
            match total.states.iter_mut().find(|known| known.state == count.state) {
                Some(known) => known.count += count.count,
                None => total.states.push(*count),
            }
        }
        for light in &row.lights {
            add_light(&mut total.lights, &light.light, light.count);
        }
    }
    total.states.sort_by_key(|count| count.state);
    total
}
