//! The fixed words of the genre: kinds of document, of item, and of verdict (requirements 2, 6 and 7).

use std::fmt;

use serde::{Deserialize, Serialize};

/// The 15 kinds of official document (文种) of the 2012 regulation, article 8.
pub const DOCUMENT_KINDS: [&str; 15] = [
    "决议", "决定", "命令", "公报", "公告", "通告", "意见", "通知", "通报", "报告", "请示", "批复", "议案",
    "函", "纪要",
];

/// The kind of every record of minutes.
pub const MINUTES_KIND: &str = "纪要";

/// What an item of business is. Several may combine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ItemKind {
    /// 审议.
    Deliberate,
    /// 听取汇报.
    Hear,
    /// 传达.
    Convey,
    /// 学习.
    Study,
    /// 通报.
    Inform,
}

impl ItemKind {
    const WORDS: [(Self, &'static [&'static str]); 5] = [
        (Self::Deliberate, &["审议", "审定", "研究"]),
        (Self::Hear, &["听取", "汇报"]),
        (Self::Convey, &["传达"]),
        (Self::Study, &["学习"]),
        (Self::Inform, &["通报"]),
    ];

    /// The kinds that a heading names, in the order of this list.
    #[must_use]
    pub fn of(heading: &str) -> Vec<Self> {
        let named = |words: &[&str]| words.iter().any(|word| heading.contains(word));
        Self::WORDS.into_iter().filter(|(_, words)| named(words)).map(|(kind, _)| kind).collect()
    }
}

/// What the meeting decided on something. 原则同意 is a verdict of its own and prints as itself: there is no way from
/// it to 同意.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Verdict {
    /// 通过, 同意.
    Agreed,
    /// 原则同意, 原则通过: the draft is not final.
    InPrinciple,
    /// 不通过, 不同意.
    Refused,
    /// 暂缓, 再议 and the like.
    Other,
}

impl Verdict {
    /// The verdict that a printed verb means.
    #[must_use]
    pub fn of(printed: &str) -> Self {
        let negations: usize = NEGATIONS.iter().map(|word| printed.matches(word).count()).sum();
        if printed.starts_with(['待', '暂']) || negations > 1 {
            // 待不动产登记完成后再议: what it waits for is no verdict. 没有不同意: neither.
            Self::Other
        } else if negations == 1 {
            Self::Refused
        } else if is_in_principle(printed) {
            Self::InPrinciple
        } else if printed.contains("暂缓") || printed.contains("再") {
            Self::Other
        } else if ["同意", "通过", "审定"].iter().any(|word| printed.contains(word)) {
            Self::Agreed
        } else {
            Self::Other
        }
    }
}

/// Words that turn a verdict into its opposite: no form of it may ever count as the verdict itself.
const NEGATIONS: [&str; 9] = ["不", "未", "没", "无法", "难以", "拒绝", "反对", "并非", "否决"];

fn is_in_principle(printed: &str) -> bool {
    printed.contains("原则") || printed.contains("原則")
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Agreed => "同意",
            Self::InPrinciple => "原则同意",
            Self::Refused => "不同意",
            Self::Other => "其他",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn req_07_agreed_in_principle_never_comes_out_as_agreed() {
        for (printed, verdict) in [
            ("原则同意", Verdict::InPrinciple),
            ("原则上同意", Verdict::InPrinciple),
            ("审议并原则通过", Verdict::InPrinciple),
            ("原則同意", Verdict::InPrinciple),
            ("同意", Verdict::Agreed),
            ("审议通过", Verdict::Agreed),
            ("一致通过", Verdict::Agreed),
            ("不同意", Verdict::Refused),
            ("未通过", Verdict::Refused),
            ("不予同意", Verdict::Refused),
            ("没有原则同意", Verdict::Refused),
            ("未原则通过", Verdict::Refused),
            ("不原则同意", Verdict::Refused),
            ("尚未通过", Verdict::Refused),
            ("没有不同意", Verdict::Other),
            ("暂缓审议", Verdict::Other),
            ("待完善后再议", Verdict::Other),
        ] {
            assert_eq!(Verdict::of(printed), verdict, "{printed}");
        }
        for verdict in [Verdict::Agreed, Verdict::InPrinciple, Verdict::Refused] {
            assert_eq!(Verdict::of(&verdict.to_string()), verdict, "what is printed is read as itself");
        }
        assert_ne!(Verdict::InPrinciple.to_string(), Verdict::Agreed.to_string());
    }

    #[test]
    fn req_06_kinds_of_items_combine() {
        assert_eq!(ItemKind::of("审议《甲办法》"), [ItemKind::Deliberate]);
        assert_eq!(
            ItemKind::of("传达学习上级会议精神，听取工作汇报"),
            [ItemKind::Hear, ItemKind::Convey, ItemKind::Study]
        );
        assert_eq!(ItemKind::of("其他事项"), []);
    }

    #[test]
    fn req_02_minutes_are_one_of_fifteen_kinds() {
        let mut kinds = DOCUMENT_KINDS.to_vec();
        kinds.sort_unstable();
        kinds.dedup();
        assert_eq!(kinds.len(), 15);
        assert!(DOCUMENT_KINDS.contains(&MINUTES_KIND));
    }
}
