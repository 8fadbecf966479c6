use serde::{Deserialize, Serialize};

/// Where a matter stands (requirement 54).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// 立项: made, nobody has been told.
    #[default]
    Established,
    /// 已交办: the notice is out.
    Assigned,
    /// 已签收: the lead unit has signed for it.
    Accepted,
    /// 办理中.
    Underway,
    /// 待审核: the lead unit says that it is done.
    UnderReview,
    /// 退回重办.
    Returned,
    /// 办结: the report was accepted.
    Finished,
    /// 销号.
    StruckOff,
    /// 延期申请中.
    ExtensionAsked,
    /// 待外部决定: another body must decide.
    AwaitingBody,
    /// 中止: another decision stopped it.
    Suspended,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 11] = [
        Self::Established,
        Self::Assigned,
        Self::Accepted,
        Self::Underway,
        Self::UnderReview,
        Self::Returned,
        Self::Finished,
        Self::StruckOff,
        Self::ExtensionAsked,
        Self::AwaitingBody,
        Self::Suspended,
    ];

    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Established => "ESTABLISHED",
            Self::Assigned => "ASSIGNED",
            Self::Accepted => "ACCEPTED",
            Self::Underway => "UNDERWAY",
            Self::UnderReview => "UNDER_REVIEW",
            Self::Returned => "RETURNED",
            Self::Finished => "FINISHED",
            Self::StruckOff => "STRUCK_OFF",
            Self::ExtensionAsked => "EXTENSION_ASKED",
            Self::AwaitingBody => "AWAITING_BODY",
            Self::Suspended => "SUSPENDED",
        }
    }

    /// Whether nothing more is to be done: 办结 or 销号.
    #[must_use]
    pub fn is_end(self) -> bool {
        matches!(self, Self::Finished | Self::StruckOff)
    }

    /// Whether the lead unit has it in hand.
    #[must_use]
    pub fn is_in_hand(self) -> bool {
        matches!(self, Self::Accepted | Self::Underway | Self::Returned)
    }
}
