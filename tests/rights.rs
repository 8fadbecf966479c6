//! Who may call what, written by hand and held against what the services go by.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use jiyao_proto::options::v1::Effect;
use jiyao_proto::{DESCRIPTORS, METHODS};
use jiyao_serve::roles_of;
use prost_reflect::DescriptorPool;

/// Each service, and below it the roles of which one is needed, with the methods that they are needed for.
const RIGHTS: &str = "
records.v1.RecordsService
  clerk: CorrectFact CreateOrgan ImportMinutes ResolveDoubt UpdateOrgan UploadSource
  clerk reader service auditor unit supervisor leader: GetMinutes GetMinutesText GetOrgan ListDecisions ListMinutes
    ListOrgans ReadMinutes SearchMinutes WatchMinutes
records.v1.LifecycleService
  clerk: ArchiveMinutes FlagMajorDecision IssueMinutes MarkPassage PrintMinutes ProofreadMinutes
    ProposeDisclosure PublishMinutes RecordProceedings RecordQuorumOutcome RegisterMinutes SetSecrecy SetSignOff
    SubmitMinutes UpdateDraft VoidImport
  clerk reader service auditor unit supervisor leader: CompareVersions GetProceedings GetSignOff GetStanding
  leader: DeclassifyMinutes ReclassifyMinutes RepealMinutes ReviewMinutes RevokeMinutes SignMinutes
records.v1.MattersService
  clerk: SetFollowUpRules
  clerk reader service auditor unit supervisor leader: CheckClosure GetBoard GetBulletin GetFollowUpRules
    GetMatter GetMeasureList ListLastMeetingMatters ListMatters WatchMatters WhatBecameOf
  clerk supervisor: CreateMatter PickMatters
  clerk unit supervisor: RecordIssuedDocument RecordOutcome UpdateMeasureList
  leader: ApproveMatter DecideExtension DecideObjection ResumeMatter SuspendMatter
  supervisor: AnswerRaiser DelistMatter ExtendListing ListMatterPublicly NotifyMatter ReopenMatter ReviewMatter
    SendSlip StrikeOffMatter
  unit: AcceptMatter AnswerSlip AskExtension DispatchMatter ObjectToConclusion ReachMilestone RecordProgress
    RecordRevision ReportMatter
attendance.v1.AttendanceService
  clerk reader service auditor unit supervisor leader: GetRoll ListRolls WatchRolls
attendance.v1.DirectoryService
  clerk: ImportDirectory SetRollRules
  clerk reader service auditor unit supervisor leader: GetDirectoryChange GetRollRules GetStandingUnits
    ListMembers ListTenures ListUnits
attendance.v1.MeetingsService
  clerk: AddSeats CreateMeeting DecideRollFinding EndItem HoldMeeting KeepItem LinkMinutes MoveSeat
    NotifyMeeting RecordStay RecuseMember RefreshMembers SetAgenda SignIn SignOut StartItem TimeItem
  clerk leader service auditor: ListRecusals
  clerk reader service auditor unit supervisor leader: CheckRoll GetAttendanceReport GetMeeting GetQuorum
    ListMeetings ListPresent ListSeats
  clerk unit: AnswerNotice
  leader: DecideLeave DecideSubstitute
distribution.v1.DistributionService
  clerk reader service auditor unit supervisor leader: GetDistributionList ListDistributionLists
distribution.v1.DeliveriesService
  clerk: CloseDelivery DispatchMinutes EndCopy FreezeScope HandOverDelivery RecallDelivery RedirectDelivery
    ResendDelivery SetAddress
  clerk reader service auditor unit supervisor leader: GetDelivery GetDeliveryCounts GetScope ListCopies
    ListDeliveries ListInbox ListKeys ListReceipts WatchInbox
  clerk supervisor: GetAddress ListSilent RemindDelivery WatchDeliveries
  leader: AddRecipient
  unit: AcknowledgeDelivery OpenDelivery ReturnDelivery SignDeliveries SignDelivery
distribution.v1.DisclosureService
  clerk: AnswerDisclosureRequest AskCompletion AskThirdParty CompleteDisclosureRequest CreateDisclosureRequest
    DropDisclosureRequest ExtendDisclosureRequest HearThirdParty SetReassessment
  clerk reader service auditor unit supervisor leader: GetDisclosureRequest ListDisclosureRequests
    ListPublications
distribution.v1.PublicService
  anyone: GetPublished ListPublished SearchPublished
journal.v1.JournalService
  service auditor: Follow GetHead
operations.v1.OperationsService
  operator: AcceptClock AskErasure Backup ConfirmErasure
  operator auditor: GetStatus ListErasures VerifyJournal
";

/// The roles of each path, in order.
fn written() -> Result<BTreeMap<String, Vec<String>>> {
    let (mut found, mut service, mut roles) = (BTreeMap::new(), "", Vec::new());
    for line in RIGHTS.lines().filter(|line| !line.is_empty()) {
        let methods = match (line.starts_with(' '), line.split_once(':')) {
            (false, None) => {
                service = line;
                continue;
            }
            (true, Some((of, methods))) => {
                roles = of.split_whitespace().map(str::to_owned).collect();
                roles.sort();
                methods
            }
            (true, None) => line,
            (false, Some(_)) => bail!("{line:?}"),
        };
        for method in methods.split_whitespace() {
            let path = format!("/jiyao.{service}/{method}");
            anyhow::ensure!(found.insert(path.clone(), roles.clone()).is_none(), "{path} stands twice");
        }
    }
    Ok(found)
}

#[test]
fn whoever_may_call_a_method_is_who_it_is_written_for() -> Result<()> {
    let mut written = written()?;
    for method in METHODS {
        let mut roles: Vec<_> =
            roles_of(method).iter().map(|role| format!("{role:?}").to_lowercase()).collect();
        roles.sort();
        let expected =
            written.remove(method.path).with_context(|| format!("{} is not written", method.path))?;
        assert_eq!(roles, expected, "{}", method.path);
    }
    assert!(written.is_empty(), "there is no such method: {written:?}");
    Ok(())
}

#[test]
fn every_method_that_is_served_says_what_it_does() -> Result<()> {
    let pool = DescriptorPool::decode(DESCRIPTORS)?;
    let served: Vec<_> = pool
        .services()
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .map(|method| format!("/{}/{}", method.parent_service().full_name(), method.name()))
        .collect();
    let told: Vec<_> = METHODS.iter().map(|method| method.path).collect();
    assert_eq!(served, told);
    assert!(!METHODS.iter().any(|method| roles_of(method).is_empty()), "nobody may call it");
    // Whoever may only read leaves nothing behind.
    for method in METHODS.iter().filter(|method| method.effect == Effect::Act) {
        assert!(!format!("{:?}", roles_of(method)).contains("Reader"), "{}", method.path);
    }
    Ok(())
}
