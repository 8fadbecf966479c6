//! What the public may read, by when, and what is looked at again (requirements 44 to 48 and 50).

use jiyao_calendar::{Date, Holidays, UnknownYear};
use jiyao_minutes::{DisclosureClass, Passage};
use serde::{Deserialize, Serialize};

/// Deadlines of publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueRules {
    /// Working days to publish (政府信息公开条例 art. 26).
    pub working_days: u32,
    /// They count from 印发 instead of 成文.
    pub from_issue: bool,
}

impl Default for DueRules {
    fn default() -> Self {
        Self { working_days: 20, from_issue: false }
    }
}

/// Where minutes stand towards the public.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Standing {
    /// To be made public, and still in time.
    Due,
    /// To be made public, and late.
    Overdue,
    /// Public.
    Published,
    /// Withheld, and to be looked at again some day.
    Withheld,
    /// Withheld, and that day has passed.
    ToReassess,
    /// On request only.
    OnRequest,
    /// The deadline cannot be reckoned: a year has no holiday table.
    HolidaysUnknown,
}

/// What is known of minutes for that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publication {
    /// `organs/{organ}/minutes/{minutes}`.
    pub minutes: String,
    /// 公开属性, once the signer has decided.
    pub class: Option<DisclosureClass>,
    /// 成文日期.
    pub signed: Option<Date>,
    /// 印发日期.
    pub issued: Option<Date>,
    /// When it was made public.
    pub published: Option<Date>,
    /// When its class was changed: it became what it is then (条例 art. 26: 形成或者变更之日).
    #[serde(default)]
    pub reclassified: Option<Date>,
    /// When a withheld one is looked at again.
    pub reassess: Option<Date>,
}

impl Publication {
    /// Last day to publish; None where nothing is to be published or no day is known to count from.
    ///
    /// # Errors
    /// A year without a holiday table.
    pub fn due(&self, rules: DueRules, holidays: &Holidays) -> Result<Option<Date>, UnknownYear> {
        if self.class != Some(DisclosureClass::Public) {
            return Ok(None);
        }
        let made = if rules.from_issue { self.issued } else { self.signed.or(self.issued) };
        let from =
            made.map_or(self.reclassified, |made| Some(self.reclassified.map_or(made, |day| day.max(made))));
        from.map(|from| holidays.after(from, rules.working_days)).transpose()
    }

    /// Where it stands on a day; None before its class is known.
    #[must_use]
    pub fn standing(&self, rules: DueRules, holidays: &Holidays, today: Date) -> Option<Standing> {
        let standing = match self.class? {
            _ if self.published.is_some_and(|day| day <= today) => Standing::Published,
            DisclosureClass::Public => match self.due(rules, holidays) {
                Ok(Some(due)) if today > due => Standing::Overdue,
                Ok(_) => Standing::Due,
                Err(_) => Standing::HolidaysUnknown,
            },
            DisclosureClass::OnRequest => Standing::OnRequest,
            DisclosureClass::Withheld if self.reassess.is_some_and(|day| today >= day) => {
                Standing::ToReassess
            }
            DisclosureClass::Withheld => Standing::Withheld,
        };
        Some(standing)
    }
}

/// What stands where something was left out.
const LEFT_OUT: &str = "［此处依法不予公开］";

/// The separable part of a text (政府信息公开条例 art. 37): each withheld passage, wherever it stands, gives way to a
/// note. Passages that overlap or touch go as one: what belongs to any of them is not shown.
#[must_use]
pub fn public_part(text: &str, passages: &[Passage]) -> String {
    let withheld = passages.iter().filter(|passage| passage.class != DisclosureClass::Public);
    let mut places: Vec<(usize, usize)> =
        withheld.flat_map(|passage| places_of(text, &passage.quote)).collect();
    places.sort_unstable();
    let (mut public, mut shown) = (String::with_capacity(text.len()), 0);
    for (from, until) in places {
        if from > shown || public.is_empty() {
            public.push_str(&text[shown..from]);
            public.push_str(LEFT_OUT);
        }
        shown = shown.max(until);
    }
    public + &text[shown..]
}

/// Wherever a quote stands in a text, places that overlap each other too.
fn places_of<'t>(text: &'t str, quote: &'t str) -> impl Iterator<Item = (usize, usize)> + 't {
    let starts = text.char_indices().map(|(at, _)| at).filter(move |_| !quote.is_empty());
    starts.filter(move |at| text[*at..].starts_with(quote)).map(move |at| (at, at + quote.len()))
}
