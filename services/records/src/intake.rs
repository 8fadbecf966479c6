//! What records makes of the journals of attendance and distribution.

use std::collections::BTreeMap;

use jiyao_calendar::{Date, parse_iso};
use jiyao_fault::{Fault, Result};
use jiyao_ledger::{Context, Decided, Lookup as _, Overlay, event};
use jiyao_matters::Act as MatterAct;
use jiyao_minutes::{Act, FrozenScope, Quorum};
use jiyao_names::{Matter as MatterName, Minutes, Organ, hex};
use jiyao_proto::attendance::v1::{ListRecusalsRequest, MemberRecusal, PostHolder};
use jiyao_proto::client::attendance::v1::meetings_service_client::MeetingsServiceClient;
use jiyao_proto::journal::v1::event::Kind;
use jiyao_proto::journal::v1::{Cursor, Event};
use jiyao_proto::records::v1 as api;
use jiyao_proto::stored::v1 as stored;
use jiyao_serve::{Intake, Link, Setback, directory_change, is_new, unknown_kind};
use jiyao_wire::MOST_AT_ONCE;
use prost::Message as _;

use crate::documents::View as _;
use crate::domain::{Command, RecordsDomain};
use crate::follow_up::Desk;
use crate::keys;
use crate::life::{Case, Policy};

pub(crate) const SOURCE_FOLLOWED: &str = "source.followed";
pub(crate) const RECUSALS_KNOWN: &str = "recusals.known";
pub(crate) const HOLDERS_KNOWN: &str = "holders.known";
pub(crate) const UNITS_KNOWN: &str = "units.known";
pub(crate) const ATTENDANCE: &str = "attendance";
pub(crate) const DISTRIBUTION: &str = "distribution";

/// What others settled.
pub(crate) enum Settled {
    /// Whether the meeting of minutes could decide.
    Quorum {
        minutes: Minutes,
        outcome: Quorum,
        meeting: String,
        /// Who took no part in what: it belongs to the record of discussion (requirement 33).
        recusals: Vec<api::RecordedRecusal>,
    },
    /// A directory says what its units are called, and who holds which post.
    Directory { organ: Organ, names: Vec<String>, is_whole: bool, holders: Vec<PostHolder> },
    /// Recipients were frozen.
    Scope { minutes: Minutes, scope: FrozenScope },
    /// A recipient signed for minutes.
    Signed {
        minutes: Minutes,
        /// Whatever it is called.
        units: Vec<String>,
        delivery: String,
        day: Date,
    },
}

impl Settled {
    /// Things that it brings.
    fn size(&self) -> usize {
        match self {
            Self::Directory { names, holders, .. } => names.len() + holders.len(),
            Self::Quorum { .. } | Self::Scope { .. } | Self::Signed { .. } => 1,
        }
    }
}

/// What others settled, up to a place in their journal; where more of it comes before that is reached, None.
pub(crate) struct Followed {
    source: &'static str,
    through: Option<Cursor>,
    settled: Vec<Settled>,
}

/// Follows attendance.
pub(crate) struct Quorums;

impl Intake<RecordsDomain> for Quorums {
    const SOURCE: &'static str = ATTENDANCE;
    const METHOD: &'static str = "follow jiyao.attendance.v1";

    async fn commands(
        &self,
        link: &Link,
        events: Vec<Event>,
        through: Cursor,
    ) -> Result<Vec<Command>, Setback> {
        let (mut settled, mut pages) = (Vec::new(), Vec::new());
        for event in events {
            match &event.kind {
                Some(Kind::QuorumSettled(said)) => {
                    let outcome = match said.outcome.as_str() {
                        "MET" => Quorum::Met,
                        "OVERRIDDEN" => Quorum::Overridden,
                        "NO_RULE" => Quorum::NoRule,
                        "UNKNOWN" => Quorum::Unknown,
                        _ => return Err(unknown_kind(&event)),
                    };
                    let minutes = Minutes::parse(&said.minutes, "minutes")?;
                    let recusals = match outcome {
                        Quorum::Unknown => Vec::new(),
                        _ => fetch_recusals(link, &said.meeting).await?,
                    };
                    let meeting = said.meeting.clone();
                    settled.push(Settled::Quorum { minutes, outcome, meeting, recusals });
                }
                Some(Kind::DirectoryChanged(changed)) => {
                    let organ = Organ::parse(&changed.organ, "organ")?;
                    let change = directory_change(link, &changed.organ, changed.version).await?;
                    // The first version, or one in pages, brings all entries.
                    let (all, is_all) = (change.len(), changed.version == 1 || change.len() > 1);
                    for (nth, page) in (1..).zip(change) {
                        let names = page
                            .units
                            .into_iter()
                            .flat_map(|unit| [unit.title, unit.short].into_iter().chain(unit.aliases));
                        let names: Vec<_> = names.filter(|name| !name.is_empty()).collect();
                        let of = |names, is_whole, holders| Settled::Directory {
                            organ: organ.clone(),
                            names,
                            is_whole,
                            holders,
                        };
                        pages.extend(
                            names.chunks(MOST_AT_ONCE).map(|some| of(some.to_vec(), false, Vec::new())),
                        );
                        pages.push(of(Vec::new(), is_all && nth == all, page.holders));
                    }
                }
                Some(Kind::RollStated(_)) => {}
                _ => return Err(unknown_kind(&event)),
            }
        }
        let mut commands = Vec::new();
        if pages.iter().map(Settled::size).sum::<usize>() > MOST_AT_ONCE {
            let page = |page| followed(ATTENDANCE, None, vec![page]);
            commands.extend(std::mem::take(&mut pages).into_iter().map(page));
        }
        settled.extend(pages);
        if !settled.is_empty() || !commands.is_empty() {
            commands.push(followed(ATTENDANCE, Some(through), settled));
        }
        Ok(commands)
    }
}

async fn fetch_recusals(link: &Link, meeting: &str) -> Result<Vec<api::RecordedRecusal>> {
    let request = ListRecusalsRequest { name: meeting.to_owned() };
    let mut attendance =
        MeetingsServiceClient::new(link.clone()).max_decoding_message_size(jiyao_serve::RESPONSE_LIMIT);
    let answer = attendance.list_recusals(request).await.map_err(Fault::internal)?;
    let recorded = |of: MemberRecusal| {
        let recusal = of.recusal.unwrap_or_default();
        api::RecordedRecusal {
            item_index: recusal.item_index,
            item: of.item,
            person: of.person,
            ground: recusal.ground().as_str_name().trim_start_matches("RECUSAL_GROUND_").to_owned(),
            reason: recusal.reason,
            decided_by: recusal.decided_by,
        }
    };
    Ok(answer.into_inner().recusals.into_iter().map(recorded).collect())
}

/// Follows distribution.
pub(crate) struct Receipts;

impl Intake<RecordsDomain> for Receipts {
    const SOURCE: &'static str = DISTRIBUTION;
    const METHOD: &'static str = "follow jiyao.distribution.v1";

    async fn commands(&self, _: &Link, events: Vec<Event>, through: Cursor) -> Result<Vec<Command>, Setback> {
        let mut settled = Vec::new();
        for event in events {
            let day = |text: &str| parse_iso(text).ok_or_else(|| unknown_kind(&event));
            match &event.kind {
                Some(Kind::ScopeFrozen(frozen)) => {
                    let scope = FrozenScope {
                        revision: frozen.revision,
                        date: day(&frozen.date)?,
                        hash: hex(&frozen.hash),
                    };
                    settled
                        .push(Settled::Scope { minutes: Minutes::parse(&frozen.minutes, "minutes")?, scope });
                }
                Some(Kind::DeliverySigned(signed)) => settled.push(Settled::Signed {
                    minutes: Minutes::parse(&signed.minutes, "minutes")?,
                    units: std::iter::once(&signed.unit).chain(&signed.names).cloned().collect(),
                    delivery: signed.delivery.clone(),
                    day: day(&signed.date)?,
                }),
                Some(Kind::ListStated(_) | Kind::DeliveryMoved(_)) => {}
                _ => return Err(unknown_kind(&event)),
            }
        }
        let is_some = !settled.is_empty();
        Ok(is_some.then(|| followed(DISTRIBUTION, Some(through), settled)).into_iter().collect())
    }
}

fn followed(source: &'static str, through: Option<Cursor>, settled: Vec<Settled>) -> Command {
    Command::Followed(Followed { source, through, settled })
}

/// None for what records does not take. Whatever else went wrong must not let the cursor move on.
pub(crate) fn unless_refused<T>(decided: Result<T>) -> Result<Option<T>> {
    match decided {
        Ok(decided) => Ok(Some(decided)),
        Err(fault) if fault.is_refusal() => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// The acts that follow of what others settled. What records itself no longer takes, such as a quorum after the issue,
/// is left out: it stands in the other journal.
pub(crate) fn decide(
    view: &Overlay<'_>,
    desk: &Desk<'_>,
    command: &Followed,
    context: &mut Context<'_>,
    policy: Policy,
) -> Result<Decided> {
    let Followed { source, through, settled } = command;
    if let Some(through) = through
        && !is_new(view, source, through)?
    {
        return Ok(Decided::default());
    }
    // Several acts on the same thing build on each other.
    let (mut lives, mut matters) = (BTreeMap::new(), BTreeMap::new());
    let (mut signed_for, mut recused) = (Vec::new(), BTreeMap::new());
    let mut events = Vec::new();
    for one in settled {
        let (minutes, act) = match one {
            Settled::Quorum { minutes, outcome, meeting, recusals } => {
                let before = match recused.insert(minutes, !recusals.is_empty()) {
                    Some(before) => before,
                    None => view.get(&keys::recusals(minutes))?.is_some(),
                };
                // What was erased does not come back.
                if (before || !recusals.is_empty()) && !view.is_erased(&minutes.to_string())? {
                    let known =
                        stored::RecusalsKnown { minutes: minutes.to_string(), recusals: recusals.clone() };
                    events.push(event(RECUSALS_KNOWN, 1, &known));
                }
                (minutes, Act::RecordQuorum { outcome: *outcome, reason: meeting.clone() })
            }
            Settled::Directory { organ, names, is_whole, holders } => {
                if !names.is_empty() || *is_whole {
                    let (organ, names) = (organ.to_string(), names.clone());
                    let known = stored::UnitsKnown { organ, names, whole: *is_whole };
                    events.push(event(UNITS_KNOWN, 1, &known));
                }
                if !holders.is_empty() {
                    let known = stored::HoldersKnown { organ: organ.to_string(), holders: holders.clone() };
                    events.push(event(HOLDERS_KNOWN, 1, &known));
                }
                continue;
            }
            Settled::Scope { minutes, scope } => (minutes, Act::RecordScope { scope: scope.clone() }),
            Settled::Signed { minutes, units, delivery, day } => {
                signed_for.extend(units.iter().map(|unit| stored::SignedFor {
                    minutes: minutes.to_string(),
                    unit: unit.clone(),
                    date: day.to_string(),
                }));
                for (_, place) in view.scan_prefix(&keys::by_minutes(minutes))? {
                    let summary = view.pointed_to(&place)?;
                    if !units.contains(&summary.lead) {
                        continue;
                    }
                    let name = MatterName::parse(&summary.name, "name")?;
                    let matter = match matters.remove(&name) {
                        Some(matter) => matter,
                        None => view.matter(&name, "name")?,
                    };
                    let act = MatterAct::SignFor { delivery: delivery.clone(), day: *day };
                    let (matter, happened) = desk.of_itself(&name, matter, &act, context)?;
                    events.extend(happened);
                    matters.insert(name, matter);
                }
                continue;
            }
        };
        let Some(mut case) = unless_refused(Case::of(view, minutes, "minutes", context))? else { continue };
        if let Some(life) = lives.remove(minutes) {
            case.life = life;
        }
        if let Some(entry) = unless_refused(case.decide(act, context, policy))? {
            events.push(case.event(&entry)?);
            case.life.apply(entry);
        }
        lives.insert(minutes.clone(), case.life);
    }
    if let Some(through) = through {
        let body = stored::SourceFollowed {
            source: (*source).to_owned(),
            through: Some(through.clone()),
            signed: signed_for,
        };
        events.push(event(SOURCE_FOLLOWED, 1, &body));
    }
    Ok(Decided { events, answer: Vec::new() })
}

/// Shows what units are called.
pub(crate) fn show_units(view: &mut Overlay<'_>, known: &stored::UnitsKnown) -> Result<()> {
    let organ = Organ::parse(&known.organ, "organ")?;
    if known.whole {
        view.put(keys::units(&organ), Vec::new());
    }
    for name in &known.names {
        view.put(keys::unit_called(&organ, name), Vec::new());
    }
    Ok(())
}

/// Shows who holds which post.
pub(crate) fn show_holders(view: &mut Overlay<'_>, known: stored::HoldersKnown) -> Result<()> {
    let organ = Organ::parse(&known.organ, "organ")?;
    for holder in known.holders {
        let key = keys::holder(&organ, &holder.post, &holder.post_id, &holder.person_id, &holder.from);
        view.put(key, holder.encode_to_vec());
    }
    Ok(())
}

/// Shows who took no part in what.
pub(crate) fn show_recusals(view: &mut Overlay<'_>, known: &stored::RecusalsKnown) -> Result<()> {
    view.put(keys::recusals(&Minutes::parse(&known.minutes, "minutes")?), known.encode_to_vec());
    Ok(())
}

/// Shows how far another journal was followed, and who signed for what.
pub(crate) fn show(view: &mut Overlay<'_>, followed: &stored::SourceFollowed) -> Result<()> {
    for signed in &followed.signed {
        let minutes = Minutes::parse(&signed.minutes, "minutes")?;
        view.put(keys::signed_for(&minutes, &signed.unit), signed.date.clone().into_bytes());
    }
    jiyao_serve::keep(view, &followed.source, &followed.through.clone().unwrap_or_default());
    Ok(())
}
