//! Who may do what, whatever it is done to: a row for each action.

use jiyao_proto::Method;
use jiyao_proto::options::v1::{Action, Least};

use crate::identity::Role;

/// Roles that see what is not for every reader: minutes with a level, and what belongs to the record of discussion.
pub const CLEARED: &[Role] = &[Role::Clerk, Role::Leader, Role::Service, Role::Auditor];
/// Roles that follow up (督查).
pub const SUPERVISORS: &[Role] = &[Role::Supervisor];
const CLERKS: &[Role] = &[Role::Clerk];
const READERS: &[Role] =
    &[Role::Clerk, Role::Reader, Role::Service, Role::Auditor, Role::Unit, Role::Supervisor, Role::Leader];

/// Roles of which a caller of a method needs one.
#[must_use]
pub fn roles_of(method: &Method) -> &'static [Role] {
    match method.least {
        Least::Anyone => &[Role::Anyone],
        Least::Unspecified => roles_for(method.action),
    }
}

fn roles_for(action: Action) -> &'static [Role] {
    match action {
        Action::AddressSet
        | Action::AgendaSet
        | Action::CopyEnd
        | Action::DeliveryClose
        | Action::DeliveryHandOver
        | Action::DeliveryRecall
        | Action::DeliveryRedirect
        | Action::DeliveryResend
        | Action::DirectoryImport
        | Action::DisclosurePropose
        | Action::DisclosureRequestAnswer
        | Action::DisclosureRequestAskCompletion
        | Action::DisclosureRequestAskThirdParty
        | Action::DisclosureRequestComplete
        | Action::DisclosureRequestCreate
        | Action::DisclosureRequestDrop
        | Action::DisclosureRequestExtend
        | Action::DisclosureRequestHearThirdParty
        | Action::DoubtResolve
        | Action::DraftUpdate
        | Action::FactCorrect
        | Action::FollowUpRulesSet
        | Action::ImportVoid
        | Action::ItemEnd
        | Action::ItemKeep
        | Action::ItemStart
        | Action::ItemTime
        | Action::MajorDecisionFlag
        | Action::MeetingCreate
        | Action::MeetingHold
        | Action::MeetingLink
        | Action::MeetingNotify
        | Action::MemberRecuse
        | Action::MembersRefresh
        | Action::MinutesArchive
        | Action::MinutesDispatch
        | Action::MinutesImport
        | Action::MinutesIssue
        | Action::MinutesPrint
        | Action::MinutesProofread
        | Action::MinutesPublish
        | Action::MinutesRegister
        | Action::MinutesSubmit
        | Action::OrganCreate
        | Action::OrganUpdate
        | Action::PassageMark
        | Action::ProceedingsRecord
        | Action::QuorumOutcomeRecord
        | Action::ReassessmentSet
        | Action::RollFindingDecide
        | Action::RollRulesSet
        | Action::ScopeFreeze
        | Action::SeatAdd
        | Action::SeatMove
        | Action::SeatRecordStay
        | Action::SeatSignIn
        | Action::SeatSignOut
        | Action::SecrecySet
        | Action::SignOffSet
        | Action::SourceUpload => CLERKS,
        Action::ExtensionDecide
        | Action::LeaveDecide
        | Action::MatterApprove
        | Action::MatterResume
        | Action::MatterSuspend
        | Action::MinutesDeclassify
        | Action::MinutesReclassify
        | Action::MinutesRepeal
        | Action::MinutesReview
        | Action::MinutesRevoke
        | Action::MinutesSign
        | Action::ObjectionDecide
        | Action::RecipientAdd
        | Action::SubstituteDecide => &[Role::Leader],
        Action::ListingAdd
        | Action::ListingEnd
        | Action::ListingExtend
        | Action::MatterNotify
        | Action::MatterReopen
        | Action::MatterReview
        | Action::MatterStrikeOff
        | Action::RaiserAnswer
        | Action::SlipSend => SUPERVISORS,
        Action::DeliveryAcknowledge
        | Action::DeliveryOpen
        | Action::DeliveryReturn
        | Action::DeliverySign
        | Action::ExtensionAsk
        | Action::MatterAccept
        | Action::MatterDispatch
        | Action::MatterRecordProgress
        | Action::MatterRecordRevision
        | Action::MatterReport
        | Action::MilestoneReach
        | Action::ObjectionMake
        | Action::SlipAnswer => &[Role::Unit],
        Action::DeliveryRead
        | Action::DirectoryRead
        | Action::DisclosureRequestRead
        | Action::DistributionListRead
        | Action::FollowUpRulesRead
        | Action::InboxRead
        | Action::KeyRead
        | Action::MatterRead
        | Action::MeetingRead
        | Action::MinutesRead
        | Action::OrganRead
        | Action::ProceedingsRead
        | Action::PublicationRead
        | Action::RollRead
        | Action::RollRulesRead
        | Action::ScopeRead
        | Action::SignOffRead
        | Action::TextRead => READERS,
        Action::RecusalRead => CLEARED,
        Action::AddressRead
        | Action::DeliveryFollow
        | Action::DeliveryRemind
        | Action::MatterCreate
        | Action::MatterPick => &[Role::Clerk, Role::Supervisor],
        Action::NoticeAnswer => &[Role::Clerk, Role::Unit],
        Action::MatterRecordDocument | Action::MatterRecordOutcome | Action::MeasureListUpdate => {
            &[Role::Clerk, Role::Unit, Role::Supervisor]
        }
        Action::JournalFollow => &[Role::Service, Role::Auditor],
        Action::BackupTake | Action::ClockAccept | Action::ErasureAsk | Action::ErasureConfirm => {
            &[Role::Operator]
        }
        Action::ErasureRead | Action::JournalVerify | Action::StatusRead => &[Role::Operator, Role::Auditor],
        // Nobody needs a grant to read what is public: see `Least`.
        Action::PublishedRead | Action::Unspecified => &[],
    }
}
