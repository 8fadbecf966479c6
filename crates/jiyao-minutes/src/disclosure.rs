//! 公开属性 and 密级: who may read minutes, and what each rests on.

use jiyao_fault::{Fault, Reason, Result};
use serde::{Deserialize, Serialize};

use crate::life::Context;

/// 公开属性 (requirement 44).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DisclosureClass {
    /// 主动公开.
    Public,
    /// 依申请公开.
    OnRequest,
    /// 不予公开.
    Withheld,
}

impl DisclosureClass {
    /// The note that prints a class (附注, requirement 46).
    #[must_use]
    pub fn note(self) -> &'static str {
        match self {
            Self::Public => "（此件公开发布）",
            Self::OnRequest => "（此件依申请公开）",
            Self::Withheld => "（此件不予公开）",
        }
    }

    /// The class that a printed note means.
    #[must_use]
    pub fn of_note(note: &str) -> Option<Self> {
        if note.contains("不予公开") {
            Some(Self::Withheld)
        } else if note.contains("依申请公开") {
            Some(Self::OnRequest)
        } else if note.contains("公开") {
            Some(Self::Public)
        } else {
            None
        }
    }
}

/// A class with what it rests on; the last two need a reason and the article.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disclosure {
    /// Which.
    pub class: DisclosureClass,
    /// Why.
    pub reason: String,
    /// The article relied on.
    pub article: String,
}

/// A passage of another class than the whole (requirement 45).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passage {
    /// Its words, exactly.
    pub quote: String,
    /// Its class.
    pub class: DisclosureClass,
    /// Why.
    pub reason: String,
}

/// 密级 (requirement 19).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Level {
    /// 秘密: 10 years at most.
    Secret,
    /// 机密: 20.
    Confidential,
    /// 绝密: 30; not for an organ of a city.
    TopSecret,
}

impl Level {
    fn longest(self) -> u32 {
        match self {
            Self::Secret => 10,
            Self::Confidential => 20,
            Self::TopSecret => 30,
        }
    }
}

/// A level with its term in years, or a condition. It governs access from the moment it is proposed (requirement 20).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secrecy {
    /// Which.
    pub level: Level,
    /// Years; 0: the condition counts.
    pub years: u32,
    /// When it ends, in words.
    pub condition: String,
}

pub(crate) fn check_disclosure(disclosure: Option<&Disclosure>, secrecy: Option<&Secrecy>) -> Result<()> {
    let missing = |class: &str| Fault::new(Reason::DisclosureMissing).at("disclosure").with("class", class);
    let disclosure = disclosure.ok_or_else(|| missing(""))?;
    if disclosure.class == DisclosureClass::Public {
        // What is secret is not public until it is declassified (requirement 45).
        return if secrecy.is_some() { Err(Fault::invalid("disclosure.class", "PUBLIC")) } else { Ok(()) };
    }
    for (text, field) in
        [(&disclosure.reason, "disclosure.reason"), (&disclosure.article, "disclosure.article")]
    {
        if text.trim().is_empty() {
            return Err(Fault::required(field));
        }
    }
    Ok(())
}

pub(crate) fn check_secrecy(secrecy: &Secrecy, context: &Context<'_>) -> Result<()> {
    if !context.takes_secrets || (secrecy.level == Level::TopSecret && !context.may_top_secret) {
        return Err(Fault::new(Reason::SecretRefused).at("secrecy"));
    }
    let by_years = (1..=secrecy.level.longest()).contains(&secrecy.years);
    let by_condition = secrecy.years == 0 && !secrecy.condition.trim().is_empty();
    if by_years || by_condition { Ok(()) } else { Err(Fault::invalid("secrecy.years", secrecy.years)) }
}
