//! Who reviews and signs: data of an organ (requirements 12 and 13).

use std::collections::BTreeMap;

use jiyao_calendar::Date;
use serde::{Deserialize, Serialize};

/// The chain of one kind of meeting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// The meeting kind, e.g. 常务会议; empty: any.
    pub meeting_kind: String,
    /// Posts that review, in order, e.g. 秘书长.
    pub reviewers: Vec<String>,
    /// The post that signs, e.g. 市长.
    pub signer: String,
}

/// A post may sign for another (代), between two days and by a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegation {
    /// For which post.
    pub of: String,
    /// Which post, e.g. 常务副市长.
    pub to: String,
    /// First day.
    pub from: Date,
    /// Last day.
    pub until: Date,
    /// The document that delegates.
    pub document: String,
}

/// All of an organ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SignOff {
    /// The first whose kind fits is the one.
    pub chains: Vec<Chain>,
    /// Principals that hold a post. Nobody holds a post without holders.
    pub holders: BTreeMap<String, Vec<String>>,
    /// Delegations.
    pub delegations: Vec<Delegation>,
}

impl Default for SignOff {
    fn default() -> Self {
        let chain = Chain {
            meeting_kind: String::new(),
            reviewers: vec!["秘书长".to_owned()],
            signer: "市长".to_owned(),
        };
        Self { chains: vec![chain], holders: BTreeMap::new(), delegations: Vec::new() }
    }
}

impl SignOff {
    /// The chain of a kind of meeting; without one nobody reviews and nobody can sign.
    #[must_use]
    pub fn chain(&self, meeting_kind: &str) -> Option<&Chain> {
        self.chains.iter().find(|chain| chain.meeting_kind.is_empty() || chain.meeting_kind == meeting_kind)
    }

    /// Whether a principal may act in a post.
    #[must_use]
    pub fn holds(&self, principal: &str, post: &str) -> bool {
        self.holders.get(post).is_some_and(|holders| holders.iter().any(|one| one == principal))
    }

    /// The delegation by which a post signs for another on a day.
    #[must_use]
    pub fn delegation(&self, of: &str, to: &str, day: Date) -> Option<&Delegation> {
        self.delegations
            .iter()
            .find(|one| one.of == of && one.to == to && (one.from..=one.until).contains(&day))
    }
}
