//! Whether enough were in the room: a rule as data, counted at a moment and over a stretch of time (requirement 23).

use serde::{Deserialize, Serialize};

use crate::directory::Rank;

/// In the room from a moment on, until a moment: in milliseconds since 1970, the end not included; None: still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// First moment.
    pub from: i64,
    /// First moment after it.
    pub until: Option<i64>,
}

impl Interval {
    /// Whether a moment lies in it.
    #[must_use]
    pub fn holds(&self, at: i64) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }

    /// Whether two share a moment.
    #[must_use]
    pub fn meets(&self, from: i64, until: i64) -> bool {
        self.from < until && self.until.is_none_or(|end| from < end)
    }
}

/// Who counts to the base.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Base {
    /// 组成人员: every member.
    #[default]
    Members,
    /// 副市长: the deputies alone.
    Deputies,
}

/// How many of the base must be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Comparison {
    /// 半数以上: at least half (民法典 art. 1259: 以上 includes the number).
    #[default]
    AtLeastHalf,
    /// 过半数, 超过半数: more than half.
    MoreThanHalf,
    /// 三分之二以上.
    AtLeastTwoThirds,
}

/// A rule of quorum.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuorumRule {
    /// The kind of meeting that it is for; empty: every kind that has no rule of its own.
    pub meeting_kind: String,
    /// Whom it counts.
    pub base: Base,
    /// How many.
    pub comparison: Comparison,
    /// Of each of these ranks somebody must be there, e.g. the head or a deputy is another matter: each.
    pub needs: Vec<Rank>,
    /// As the organ's rules word it.
    pub text: String,
}

impl QuorumRule {
    /// How many of a base are enough.
    #[must_use]
    pub fn needed(&self, base: usize) -> usize {
        match self.comparison {
            Comparison::AtLeastHalf => base.div_ceil(2),
            Comparison::MoreThanHalf => base / 2 + 1,
            Comparison::AtLeastTwoThirds => (base * 2).div_ceil(3),
        }
    }
}

/// A member with the times that they were in the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member<'m> {
    /// Rank of the post that they are a member by.
    pub rank: Rank,
    /// When they were in the room.
    pub intervals: &'m [Interval],
    /// Items, from 0, that they took no part in deciding (requirement 33).
    pub recused: &'m [u32],
}

/// A count at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// How many there are to count.
    pub base: usize,
    /// How many of them were there.
    pub present: usize,
    /// How many are enough.
    pub needed: usize,
    /// Ranks of which somebody had to be there and nobody was.
    pub lacking: Vec<Rank>,
}

impl Count {
    /// Whether it is enough.
    #[must_use]
    pub fn is_met(&self) -> bool {
        // Nobody is no quorum of nobody.
        self.base > 0 && self.present >= self.needed && self.lacking.is_empty()
    }
}

/// Counts over a stretch of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// The lowest count.
    pub lowest: Count,
    /// When it was reached first.
    pub at: i64,
    /// Stretches without a quorum: from, until.
    pub gaps: Vec<(i64, i64)>,
}

impl QuorumRule {
    /// The count at a moment; for an item, those who are recused from it do not count as present.
    #[must_use]
    pub fn at(&self, members: &[Member<'_>], moment: i64, item: Option<u32>) -> Count {
        let counted = |member: &&Member<'_>| self.base == Base::Members || member.rank == Rank::Deputy;
        let is_there = |member: &&Member<'_>| {
            !item.is_some_and(|item| member.recused.contains(&item))
                && member.intervals.iter().any(|interval| interval.holds(moment))
        };
        let base = members.iter().filter(counted).count();
        let lacking = |rank: &&Rank| !members.iter().filter(is_there).any(|member| member.rank == **rank);
        Count {
            base,
            present: members.iter().filter(counted).filter(is_there).count(),
            needed: self.needed(base),
            lacking: self.needs.iter().filter(lacking).copied().collect(),
        }
    }

    /// The counts from a moment until another, which must be later: they change only where somebody comes or goes.
    #[must_use]
    pub fn over(&self, members: &[Member<'_>], from: i64, until: i64, item: Option<u32>) -> Sweep {
        let mut moments: Vec<i64> = members
            .iter()
            .flat_map(|member| member.intervals)
            .flat_map(|interval| [Some(interval.from), interval.until])
            .flatten()
            .filter(|moment| (from..until).contains(moment))
            .collect();
        moments.push(from);
        moments.sort_unstable();
        moments.dedup();
        let mut sweep = Sweep { lowest: self.at(members, from, item), at: from, gaps: Vec::new() };
        for (place, moment) in moments.iter().enumerate() {
            let count = self.at(members, *moment, item);
            let end = moments.get(place + 1).copied().unwrap_or(until);
            if !count.is_met() {
                match sweep.gaps.last_mut().filter(|(_, gap_end)| gap_end == moment) {
                    Some((_, gap_end)) => *gap_end = end,
                    None => sweep.gaps.push((*moment, end)),
                }
            }
            if (count.is_met(), count.present) < (sweep.lowest.is_met(), sweep.lowest.present) {
                sweep = Sweep { lowest: count, at: *moment, ..sweep };
            }
        }
        sweep
    }
}
