//! What a decision of minutes says that a matter needs: owner, next act, day (requirements 8, 9, 51 and 52).

use jiyao_calendar::{Date, Holidays, date, days_later, parse_iso};
use jiyao_docnum::ordinal;
use jiyao_minutes::Verdict;
use jiyao_reader::Decision;

use crate::matter::Next;
use crate::rules::FindingCode;

/// What follows of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pick {
    /// What is to be done: the subjects.
    pub content: String,
    /// The one unit that leads.
    pub lead: String,
    /// Units that help.
    pub helpers: Vec<String>,
    /// What comes next.
    pub next: Next,
    /// The draft must be revised first.
    pub to_revise: bool,
    /// The earliest day that is named; None where none is, or none that can be reckoned.
    pub due: Option<Date>,
    /// As printed.
    pub printed_due: String,
    /// When it takes effect.
    pub effective: Option<Date>,
}

/// What a decision sets going, by the words of its paragraph and the day of the meeting.
///
/// # Errors
/// `OWNER_MISSING` where the text names no unit or more than one: a person must say who leads.
pub fn pick(
    decision: &Decision,
    paragraph: &str,
    decided: Option<Date>,
    holidays: &Holidays,
) -> Result<Pick, FindingCode> {
    let [lead] = decision.lead_units.as_slice() else { return Err(FindingCode::OwnerMissing) };
    let values =
        |facts: &[jiyao_reader::Fact]| facts.iter().map(|fact| fact.value.to_string()).collect::<Vec<_>>();
    let step = decision.next_step.as_ref().map_or("", |step| step.value.as_str());
    let issues = ["印发", "公布", "发布"].iter().any(|word| step.contains(word));
    let next = match &decision.next_body {
        Some(body) => Next::Submit { body: body.value.to_string() },
        None if issues => Next::Issue,
        None => Next::Carry,
    };
    let printed = values(&decision.deadlines);
    let days = printed.iter().filter_map(|printed| due_day(printed, decided?, holidays));
    Ok(Pick {
        content: values(&decision.subjects).join("；"),
        lead: lead.value.to_string(),
        helpers: values(&decision.support_units),
        next,
        to_revise: Verdict::of(&decision.outcome.value) == Verdict::InPrinciple && paragraph.contains("完善"),
        due: days.min(),
        printed_due: printed.join("；"),
        effective: decision.effective_date.as_ref().and_then(|date| parse_iso(&date.value)),
    })
}

/// The day that a printed deadline means, for a decision of a day: `7月底前`, `12月10日前`, `年底前`, `30个工作日内`,
/// `两周内`, `三个月内`. None for what cannot be reckoned.
#[must_use]
pub fn due_day(printed: &str, decided: Date, holidays: &Holidays) -> Option<Date> {
    let text: String = printed.chars().filter(|c| !c.is_whitespace()).collect();
    let text = text.trim_start_matches('于').trim_start_matches("在");
    let year_of =
        |text: &str| i32::from(decided.year()) + i32::from(text.contains("明年") || text.contains("次年"));
    let (year, rest) = match text.split_once('年') {
        Some((year, rest)) if year.len() == 4 => (year.parse().ok()?, rest),
        Some(("今" | "明" | "本" | "次", rest)) => (year_of(text), rest),
        _ => (i32::from(decided.year()), text),
    };
    let last_of = |year: i32, month: u32| {
        let first = date(u32::try_from(year).ok()?, month, 1)?;
        Some(first.last_of_month())
    };
    if rest.starts_with("年底") || rest.starts_with('底') || rest.starts_with("年内") || rest == "内" {
        return last_of(year, 12);
    }
    if rest.starts_with("本月") || rest.starts_with("月底") {
        return Some(decided.last_of_month());
    }
    if let Some(count) = rest.strip_suffix('内').map(|rest| rest.trim_end_matches('之')) {
        let split =
            count.find(|c: char| !(c.is_ascii_digit() || "一二两三四五六七八九十百半".contains(c)))?;
        let number = ordinal(&count[..split])?;
        return match count[split..].trim_start_matches('个') {
            "工作日" => holidays.after(decided, number).ok(),
            "天" | "日" => Some(days_later(decided, number.into())),
            "周" | "星期" => Some(days_later(decided, i64::from(number) * 7)),
            "月" => {
                let months = u32::try_from(decided.month()).ok()? - 1 + number;
                let last =
                    last_of(i32::from(decided.year()) + i32::try_from(months / 12).ok()?, months % 12 + 1)?;
                Some(last.with().day(decided.day().min(last.day())).build().unwrap_or(last))
            }
            _ => None,
        };
    }
    let (month, rest) = rest.split_once('月')?;
    let month = ordinal(month)?;
    let day = rest.trim_end_matches('前').trim_end_matches('以').trim_end_matches('之');
    // A month that is over means the next year's.
    let year = if text == printed && year == i32::from(decided.year()) && !text.contains('年') {
        year + i32::from(month < u32::try_from(decided.month()).ok()?)
    } else {
        year
    };
    match day {
        "" | "初" => {
            let first = date(u32::try_from(year).ok()?, month, 1)?;
            first.yesterday().ok()
        }
        "上旬" => date(u32::try_from(year).ok()?, month, 10),
        "中旬" => date(u32::try_from(year).ok()?, month, 20),
        "底" | "末" | "下旬" | "份" => last_of(year, month),
        day => date(u32::try_from(year).ok()?, month, ordinal(day.strip_suffix('日')?)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_deadlines_are_days() {
        let decided = parse_iso("2020-06-02").unwrap();
        for (printed, day) in [
            ("7月底前", "2020-07-31"),
            ("12月10日前", "2020-12-10"),
            ("3月底前", "2021-03-31"),
            ("9月前", "2020-08-31"),
            ("9月中旬", "2020-09-20"),
            ("年底前", "2020-12-31"),
            ("今年10月底前", "2020-10-31"),
            ("明年3月底前", "2021-03-31"),
            ("2021年2月底前", "2021-02-28"),
            ("年内", "2020-12-31"),
            ("本月底前", "2020-06-30"),
            ("20个工作日内", "2020-07-01"),
            ("两周内", "2020-06-16"),
            ("10日内", "2020-06-12"),
            ("三个月内", "2020-09-02"),
        ] {
            let found = due_day(printed, decided, Holidays::shipped()).map(|day| day.to_string());
            assert_eq!(found.as_deref(), Some(day), "{printed}");
        }
        for printed in ["近期", "月前", "13月底前", "2月30日前", "春节前", "内", "月", ""] {
            assert!(
                due_day(printed, decided, Holidays::shipped()).is_none_or(|_| printed == "内"),
                "{printed}"
            );
        }
    }
}
