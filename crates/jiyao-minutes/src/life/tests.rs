use jiyao_calendar::parse_iso;
use proptest::prelude::*;

use super::*;
use crate::Level;
use crate::sign_off::{Chain, Delegation};

fn day(text: &str) -> Date {
    parse_iso(text).unwrap()
}

#[derive(Clone)]
struct World {
    life: Life,
    today: Date,
    actor: String,
    sign_off: SignOff,
    printed_date: Option<Date>,
    printed_number: Option<String>,
    kind: String,
    takes_secrets: bool,
    printed_class: Option<DisclosureClass>,
}

impl World {
    fn new() -> Self {
        let mut sign_off = SignOff::default();
        sign_off.delegations.push(Delegation {
            of: "市长".into(),
            to: "常务副市长".into(),
            from: day("2025-04-01"),
            until: day("2025-04-30"),
            document: "临政发〔2025〕2号".into(),
        });
        for post in ["秘书长", "副秘书长", "市长", "副市长", "常务副市长"] {
            sign_off.holders.insert(post.into(), vec!["张三".into()]);
        }
        Self {
            life: Life::draft("起草人"),
            today: day("2025-04-20"),
            actor: "张三".into(),
            sign_off,
            printed_date: None,
            printed_number: None,
            kind: "常务会议".into(),
            takes_secrets: false,
            printed_class: None,
        }
    }

    fn decide(&self, act: Act) -> Result<Entry> {
        let context = Context {
            actor: &self.actor,
            now: "2025-04-20T02:00:00Z".parse().unwrap(),
            today: self.today,
            sign_off: &self.sign_off,
            meeting_kind: &self.kind,
            meeting_date: Some(day("2025-04-15")),
            printed_date: self.printed_date,
            printed_number: self.printed_number.as_deref(),
            items: 3,
            takes_secrets: self.takes_secrets,
            may_top_secret: false,
            revision: 1,
            needs_scope: false,
            printed_class: self.printed_class,
        };
        self.life.decide(act, &context)
    }

    fn does(mut self, acts: impl IntoIterator<Item = Act>) -> Self {
        for act in acts {
            let entry = self.decide(act.clone()).unwrap_or_else(|e| panic!("{act:?}: {e}"));
            self.life.apply(entry);
        }
        self
    }

    /// The field of the request that a refusal blames, and the fact in the minutes behind it.
    fn blames(&self, act: Act) -> (String, String) {
        let fault = self.decide(act).unwrap_err();
        (fault.fields().concat(), fault.metadata().get("path").cloned().unwrap_or_default())
    }

    fn refuses(&self, act: Act) -> Reason {
        self.decide(act).map(|entry| panic!("{entry:?}")).unwrap_err().reason()
    }
}

fn submit() -> Act {
    Act::Submit { opinion: "请审".into() }
}
fn review(approve: bool) -> Act {
    Act::Review { post: "秘书长".into(), mark: Mark::Words, opinion: "同意".into(), approve }
}
fn public() -> Disclosure {
    Disclosure { class: DisclosureClass::Public, reason: String::new(), article: String::new() }
}
fn sign() -> Act {
    Act::Sign {
        post: "市长".into(),
        mark: Mark::Words,
        opinion: "签发".into(),
        date: None,
        disclosure: Some(public()),
    }
}
fn proofread() -> Act {
    Act::Proofread { opinion: "无误".into() }
}
fn register() -> Act {
    Act::Register {
        series: String::new(),
        number: "〔2025〕9号".into(),
        copies: 60,
        scope: "各市、区人民政府".into(),
    }
}
fn quorum(outcome: Quorum) -> Act {
    Act::RecordQuorum { outcome, reason: "8/9".into() }
}
fn amend(formatting: bool) -> Act {
    Act::Amend { formatting, from_revision: 1, to_revision: 2, note: "改".into() }
}
/// A life at a stage, reached by allowed acts.
fn at(stage: Stage) -> World {
    let path = [
        vec![],
        vec![submit()],
        vec![review(true)],
        vec![sign()],
        vec![proofread()],
        vec![register()],
        vec![Act::Print { copies: 60 }],
        vec![quorum(Quorum::Met), Act::Issue],
        vec![Act::Publish { place: "门户网站".into(), separable: false }],
        vec![Act::Archive { file: "卷1".into() }],
    ];
    let steps = Stage::ALL.iter().position(|one| *one == stage).unwrap();
    let world = World::new().does(path.into_iter().take(steps + 1).flatten());
    assert_eq!(world.life.stage, stage);
    world
}

fn every_act() -> Vec<Act> {
    vec![
        submit(),
        review(true),
        sign(),
        proofread(),
        amend(false),
        amend(true),
        register(),
        Act::Print { copies: 60 },
        Act::Issue,
        Act::Publish { place: "门户网站".into(), separable: false },
        Act::Archive { file: "卷1".into() },
        quorum(Quorum::Met),
        Act::ProposeDisclosure { disclosure: public() },
        Act::SetSecrecy { secrecy: None, reason: "不涉密".into() },
        Act::FlagMajor {
            major: Major {
                item: 0,
                review: "合法".into(),
                review_date: day("2025-04-10"),
                differs: false,
                reason: String::new(),
            },
        },
        Act::Replace { by: "organs/linlan/minutes/2".into() },
        Act::Revoke { document: "省政发〔2025〕1号".into(), reason: "违法".into() },
        Act::Repeal {
            from: day("2026-01-01"), document: "临政发〔2025〕9号".into(), reason: "过时".into()
        },
        Act::Void { reason: "误登".into() },
    ]
}

/// What each stage allows, written down a second time by hand. Before a quorum is known nothing is issued.
fn allowed(stage: Stage) -> &'static [&'static str] {
    match stage {
        Stage::Draft => {
            &["SUBMIT", "AMEND", "RECORD_QUORUM", "PROPOSE_DISCLOSURE", "SET_SECRECY", "FLAG_MAJOR", "VOID"]
        }
        Stage::Review => {
            &["REVIEW", "AMEND", "RECORD_QUORUM", "PROPOSE_DISCLOSURE", "SET_SECRECY", "FLAG_MAJOR", "VOID"]
        }
        Stage::Reviewed => {
            &["SIGN", "AMEND", "RECORD_QUORUM", "PROPOSE_DISCLOSURE", "SET_SECRECY", "FLAG_MAJOR", "VOID"]
        }
        Stage::Signed => &["PROOFREAD", "AMEND", "RECORD_QUORUM", "FLAG_MAJOR", "VOID"],
        Stage::Proofread => &["REGISTER", "AMEND", "RECORD_QUORUM", "FLAG_MAJOR", "VOID"],
        Stage::Registered => &["PRINT", "AMEND", "RECORD_QUORUM", "FLAG_MAJOR", "VOID"],
        Stage::Printed => &["ISSUE", "AMEND", "RECORD_QUORUM", "FLAG_MAJOR", "VOID"],
        Stage::Issued => &["PUBLISH", "ARCHIVE", "REPLACE", "REVOKE", "REPEAL", "VOID"],
        Stage::Published => &["ARCHIVE", "REPLACE", "REVOKE", "REPEAL", "VOID"],
        Stage::Archived => &["REPLACE", "REVOKE", "REPEAL", "VOID"],
    }
}

#[test]
fn req_11_no_stage_is_skipped_and_every_other_act_is_refused_by_stage() {
    for stage in Stage::ALL {
        for act in every_act() {
            let world = at(stage);
            let before = world.life.clone();
            match world.decide(act.clone()) {
                Ok(entry) => {
                    assert!(allowed(stage).contains(&act.name()), "{stage:?} allows {}", act.name());
                    assert_eq!((entry.from, entry.day), (stage, world.today), "the day is the system's");
                }
                Err(fault) => {
                    let by_stage = fault.reason() == Reason::StateForbids;
                    let by_quorum = fault.reason() == Reason::QuorumOpen && act == Act::Issue;
                    assert!(
                        by_quorum || !allowed(stage).contains(&act.name()),
                        "{stage:?} {}: {fault}",
                        act.name()
                    );
                    assert!(by_stage || by_quorum, "{fault}");
                }
            }
            assert_eq!(world.life, before);
        }
    }
}

#[test]
fn req_01_four_dates_stand_apart_and_the_signature_is_of_its_own_day() {
    let mut world = at(Stage::Reviewed);
    let dated = |date| Act::Sign {
        post: "市长".into(),
        mark: Mark::Words,
        opinion: "签发".into(),
        date: Some(day(date)),
        disclosure: Some(public()),
    };
    assert_eq!(world.refuses(dated("2025-04-19")), Reason::DateMismatch, "back-dated");
    world.printed_date = Some(day("2025-04-24"));
    assert_eq!(world.refuses(sign()), Reason::DateMismatch, "the text says another 成文日期");
    assert_eq!(world.blames(sign()), ("name".to_owned(), "compiled.date".to_owned()));
    world.printed_date = Some(day("2025-04-20"));
    let world = world.does([
        dated("2025-04-20"),
        proofread(),
        register(),
        Act::Print { copies: 60 },
        quorum(Quorum::Met),
    ]);
    let mut world = World { today: day("2025-04-27"), ..world }.does([Act::Issue]);
    world.today = day("2025-05-06");
    let life = world.does([Act::Publish { place: "门户网站".into(), separable: false }]).life;
    let dates = (life.signed, life.issued, life.published);
    assert_eq!(dates, (Some(day("2025-04-20")), Some(day("2025-04-27")), Some(day("2025-05-06"))));
    let early = World { today: day("2025-04-14"), ..at(Stage::Reviewed) };
    assert_eq!(early.refuses(sign()), Reason::DateMismatch, "before the meeting");
}

#[test]
fn req_12_a_circle_is_consent_and_a_delegate_needs_a_delegation_of_that_day() {
    let circle =
        Act::Review { post: "秘书长".into(), mark: Mark::Circle, opinion: String::new(), approve: true };
    let world = at(Stage::Review).does([circle]);
    assert!(
        matches!(&world.life.history.last().unwrap().act, Act::Review { mark: Mark::Circle, .. }),
        "shown as such"
    );
    let deputy = || Act::Sign {
        post: "常务副市长".into(),
        mark: Mark::Name,
        opinion: String::new(),
        date: None,
        disclosure: Some(public()),
    };
    let signed = world.clone().does([deputy()]).life;
    assert_eq!(signed.history.last().unwrap().delegated_by.as_deref(), Some("临政发〔2025〕2号"));
    let late = World { today: day("2025-05-01"), ..world.clone() };
    assert_eq!(late.refuses(deputy()), Reason::DelegationMissing);
    let other = Act::Sign {
        post: "副市长".into(),
        mark: Mark::Name,
        opinion: String::new(),
        date: None,
        disclosure: Some(public()),
    };
    assert_eq!(world.refuses(other), Reason::DelegationMissing);
    let wordless = Act::Sign {
        post: "市长".into(),
        mark: Mark::Words,
        opinion: " ".into(),
        date: None,
        disclosure: Some(public()),
    };
    assert_eq!(world.refuses(wordless), Reason::FieldRequired);
}

#[test]
fn req_13_chains_are_data_by_kind_of_meeting_and_posts_have_holders() {
    let mut world = World::new();
    world.sign_off.chains.insert(
        0,
        Chain {
            meeting_kind: "专题会议".into(),
            reviewers: vec!["副秘书长".into(), "秘书长".into()],
            signer: "副市长".into(),
        },
    );
    let by = |post: &str| Act::Review {
        post: post.into(),
        mark: Mark::Words,
        opinion: "同意".into(),
        approve: true,
    };
    let special = World { kind: "专题会议".into(), ..world.clone() }.does([submit()]);
    assert_eq!(special.refuses(by("秘书长")), Reason::PostForbids, "the deputy comes first");
    let special = special.does([by("副秘书长"), by("秘书长")]);
    assert_eq!(special.refuses(sign()), Reason::DelegationMissing, "the mayor does not sign these");
    let plain = world.clone().does([submit(), review(true), sign()]);
    assert_eq!(plain.life.stage, Stage::Signed, "two chains side by side");
    for nobody in [None, Some(Vec::new())] {
        let mut empty = world.clone();
        empty.sign_off.holders.remove("秘书长");
        nobody.into_iter().for_each(|none| drop(empty.sign_off.holders.insert("秘书长".into(), none)));
        assert_eq!(empty.does([submit()]).refuses(review(true)), Reason::PostForbids, "nobody holds it");
    }
    world.sign_off.holders.insert("秘书长".into(), vec!["李四".into()]);
    let world = world.does([submit()]);
    assert_eq!(world.refuses(review(true)), Reason::PostForbids);
    assert!(World { actor: "李四".into(), ..world }.decide(review(true)).is_ok());
}

#[test]
fn req_14_a_change_after_the_signature_goes_back_to_the_signer() {
    let world = at(Stage::Proofread);
    let reset = world.clone().does([amend(true)]);
    assert_eq!((reset.life.stage, reset.life.signed.is_some()), (Stage::Proofread, true), "only the setting");
    let changed = world.does([amend(false)]);
    assert_eq!((changed.life.stage, changed.life.signed), (Stage::Reviewed, None));
    assert_eq!((reset.life.signed_revision, changed.life.signed_revision), (Some(1), None));
    assert!(matches!(
        changed.life.history.last().unwrap().act,
        Act::Amend { from_revision: 1, to_revision: 2, .. }
    ));
    assert_eq!(changed.does([sign()]).life.stage, Stage::Signed);
}

#[test]
fn req_15_after_issue_the_content_stays() {
    for stage in [Stage::Issued, Stage::Published, Stage::Archived] {
        assert_eq!(at(stage).refuses(amend(true)), Reason::StateForbids);
        assert_eq!(at(stage).refuses(amend(false)), Reason::StateForbids);
    }
    let replaced = at(Stage::Issued).does([Act::Replace { by: "organs/linlan/minutes/2".into() }]);
    assert_eq!(replaced.life.replaced_by, "organs/linlan/minutes/2");
    assert_eq!(replaced.refuses(Act::Replace { by: "organs/linlan/minutes/3".into() }), Reason::StateForbids);
    let reinstate = |was: &str| Act::Reinstate { was: was.into() };
    assert_eq!(replaced.refuses(reinstate("organs/linlan/minutes/3")), Reason::StateForbids, "another one");
    assert_eq!(replaced.refuses(reinstate("")), Reason::StateForbids);
    let again = replaced.does([reinstate("organs/linlan/minutes/2")]);
    assert_eq!(again.life.standing_on(day("2030-01-01"), None), Standing::InForce);
    let once_more = again.does([Act::Replace { by: "organs/linlan/minutes/3".into() }]);
    assert_eq!(once_more.life.replaced_by, "organs/linlan/minutes/3");
}

#[test]
fn req_16_revoked_is_void_from_the_first_day_repealed_from_the_given_one() {
    let issued = at(Stage::Issued);
    let standing = |world: &World, on: &str| world.life.standing_on(day(on), None);
    assert_eq!(
        (standing(&issued, "2025-04-19"), standing(&issued, "2025-04-20")),
        (Standing::NotIssued, Standing::InForce)
    );
    let repealed = issued.clone().does([every_act()[17].clone()]);
    assert_eq!(
        (standing(&repealed, "2025-12-31"), standing(&repealed, "2026-01-01")),
        (Standing::InForce, Standing::Repealed)
    );
    let revoked = repealed.does([every_act()[16].clone()]);
    assert_eq!(
        (standing(&revoked, "2025-04-20"), standing(&revoked, "2026-01-01")),
        (Standing::Revoked, Standing::Revoked)
    );
    assert_eq!(revoked.refuses(Act::Archive { file: "卷1".into() }), Reason::StateForbids);
    let before = Act::Repeal { from: day("2025-04-01"), document: "x".into(), reason: "x".into() };
    assert_eq!(issued.refuses(before), Reason::FieldInvalid);
    let elsewhere = Life::issued_elsewhere();
    assert_eq!(elsewhere.standing_on(day("2025-04-26"), Some(day("2025-04-27"))), Standing::NotIssued);
}

#[test]
fn req_18_a_major_decision_has_a_legality_review_before_the_meeting() {
    let flag = |item, review: &str, date: &str, differs, reason: &str| Act::FlagMajor {
        major: Major { item, review: review.into(), review_date: day(date), differs, reason: reason.into() },
    };
    let world = at(Stage::Draft);
    assert_eq!(world.refuses(flag(0, "合法", "2025-04-15", false, "")), Reason::ReviewMissing);
    assert_eq!(world.refuses(flag(0, "", "2025-04-10", false, "")), Reason::FieldRequired);
    assert_eq!(world.refuses(flag(9, "合法", "2025-04-10", false, "")), Reason::FieldInvalid);
    assert_eq!(
        world.refuses(flag(0, "合法", "2025-04-10", true, "")),
        Reason::FieldRequired,
        "why against the majority"
    );
    assert_eq!(world.does([flag(0, "合法", "2025-04-10", true, "情况紧急")]).life.majors.len(), 1);
}

#[test]
fn req_19_20_secrecy_has_a_term_and_is_refused_unless_the_deployment_takes_it() {
    let set = |level, years, condition: &str| Act::SetSecrecy {
        secrecy: Some(Secrecy { level, years, condition: condition.into() }),
        reason: "定密".into(),
    };
    let world = at(Stage::Draft);
    assert_eq!(world.refuses(set(Level::Secret, 5, "")), Reason::SecretRefused);
    let world = World { takes_secrets: true, ..world };
    for (level, most) in [(Level::Secret, 10), (Level::Confidential, 20)] {
        assert!(world.decide(set(level, most, "")).is_ok());
        assert_eq!(world.refuses(set(level, most + 1, "")), Reason::FieldInvalid);
    }
    assert_eq!(world.refuses(set(Level::TopSecret, 1, "")), Reason::SecretRefused, "not of a city");
    assert_eq!(world.refuses(set(Level::Secret, 0, " ")), Reason::FieldInvalid);
    let world = world.does([set(Level::Secret, 0, "公布之日")]);
    assert!(world.life.secrecy.is_some(), "it governs from the draft on");
    let open = Act::ProposeDisclosure { disclosure: public() };
    assert_eq!(world.refuses(open), Reason::FieldInvalid, "what is secret is not public");
}

#[test]
fn req_44_without_a_class_nothing_is_signed_and_withholding_needs_an_article() {
    let with = |disclosure| Act::Sign {
        post: "市长".into(),
        mark: Mark::Circle,
        opinion: String::new(),
        date: None,
        disclosure,
    };
    let world = at(Stage::Reviewed);
    assert_eq!(world.refuses(with(None)), Reason::DisclosureMissing);
    let withheld = |reason: &str, article: &str| {
        Some(Disclosure { class: DisclosureClass::Withheld, reason: reason.into(), article: article.into() })
    };
    assert_eq!(world.refuses(with(withheld("内部事务", ""))), Reason::FieldRequired);
    let world = world.does([with(withheld("内部事务", "第十六条"))]);
    let world =
        world.does([proofread(), register(), Act::Print { copies: 60 }, quorum(Quorum::NoRule), Act::Issue]);
    assert_eq!(
        world.refuses(Act::Publish { place: "门户网站".into(), separable: false }),
        Reason::DisclosureMissing
    );
    assert_eq!(
        world.does([Act::Archive { file: "卷1".into() }]).life.stage,
        Stage::Archived,
        "not public, but filed"
    );
}

#[test]
fn req_46_what_every_copy_prints_is_what_the_signer_decides() {
    let printing = |class| World { printed_class: Some(class), ..at(Stage::Reviewed) };
    assert_eq!(printing(DisclosureClass::Withheld).refuses(sign()), Reason::DisclosureMismatch);
    assert!(printing(DisclosureClass::Public).decide(sign()).is_ok());
    assert!(at(Stage::Reviewed).decide(sign()).is_ok(), "a text without a note prints none that is wrong");
}

#[test]
fn req_45_48_after_the_signature_a_level_ends_and_a_class_changes_by_acts_of_their_own() {
    let withheld = || Disclosure {
        class: DisclosureClass::Withheld,
        reason: "内部事务".into(),
        article: "第十六条".into(),
    };
    let to = |disclosure| Act::Reclassify { disclosure, reason: "定期评估".into() };
    let declassify = || Act::Declassify { document: "解密通知".into(), reason: "期满".into() };
    let publish = || Act::Publish { place: "门户网站".into(), separable: false };
    let secrecy = Secrecy { level: Level::Secret, years: 5, condition: String::new() };
    let mut world = at(Stage::Issued);
    world.life.disclosure = Some(withheld());
    world.life.secrecy = Some(secrecy);
    assert_eq!(world.refuses(to(public())), Reason::FieldInvalid, "secret, so not public");
    assert_eq!(world.refuses(to(withheld())), Reason::FieldInvalid, "it is that already");
    let wordless = Act::Declassify { document: String::new(), reason: "期满".into() };
    assert_eq!(world.refuses(wordless), Reason::FieldRequired);
    let set = Act::SetSecrecy { secrecy: None, reason: "不涉密".into() };
    assert_eq!(world.refuses(set), Reason::StateForbids, "what was signed is not set otherwise");
    let world = world.does([declassify()]);
    assert_eq!(world.refuses(declassify()), Reason::StateForbids);
    assert_eq!(world.refuses(publish()), Reason::DisclosureMissing);
    let world = world.does([to(public()), publish()]);
    assert_eq!((world.life.stage, world.life.reclassified), (Stage::Published, Some(world.today)));
    let world = world.does([to(withheld())]);
    assert_eq!((world.life.stage, world.life.published), (Stage::Issued, None), "no longer public");
    let world = world.does([Act::Archive { file: "卷1".into() }, to(public()), publish()]);
    assert_eq!((world.life.stage, world.life.published), (Stage::Archived, Some(world.today)));
    assert_eq!(world.refuses(publish()), Reason::StateForbids, "once");
    for stage in [Stage::Reviewed, Stage::Signed, Stage::Printed] {
        assert_eq!(at(stage).refuses(to(withheld())), Reason::StateForbids, "the text may still change");
    }
}

#[test]
fn req_43_the_level_of_minutes_from_elsewhere_is_what_their_paper_says() {
    let secrecy = Secrecy { level: Level::Secret, years: 5, condition: String::new() };
    let set = || Act::SetSecrecy { secrecy: Some(secrecy.clone()), reason: "原件所标".into() };
    let publish = || Act::Publish { place: "门户网站".into(), separable: false };
    let foreign = World {
        takes_secrets: true,
        life: Life::issued_elsewhere(),
        printed_class: Some(DisclosureClass::Public),
        ..World::new()
    };
    let published = foreign.does([publish()]);
    assert_eq!(published.life.stage, Stage::Published);
    let secret = published.does([set()]);
    assert_eq!((secret.life.stage, secret.life.published), (Stage::Issued, None), "no longer public");
    assert_eq!(secret.refuses(publish()), Reason::StateForbids, "not while it has a level");
    let lift = Act::SetSecrecy { secrecy: None, reason: "不涉密".into() };
    assert_eq!(secret.refuses(lift), Reason::StateForbids, "it ends by a document");
    let declassify = Act::Declassify { document: "解密通知".into(), reason: "期满".into() };
    assert_eq!(secret.does([declassify, publish()]).life.stage, Stage::Published);
    let here = World { takes_secrets: true, ..at(Stage::Issued) };
    assert_eq!(here.refuses(set()), Reason::StateForbids);
}

#[test]
fn an_unknown_quorum_or_another_number_stops_it() {
    let world = at(Stage::Printed);
    assert_eq!(world.refuses(Act::Issue), Reason::QuorumOpen);
    assert_eq!(world.clone().does([quorum(Quorum::NotMet)]).refuses(Act::Issue), Reason::QuorumOpen);
    let forgotten = world.clone().does([quorum(Quorum::Met), quorum(Quorum::Unknown)]);
    assert_eq!(forgotten.refuses(Act::Issue), Reason::QuorumOpen, "it was the quorum of another meeting");
    assert!(world.does([quorum(Quorum::Overridden)]).decide(Act::Issue).is_ok());
    let world = World { printed_number: Some("〔2025〕8号".into()), ..at(Stage::Proofread) };
    assert_eq!(world.refuses(register()), Reason::NumberMismatch);
    assert_eq!(world.blames(register()), ("name".to_owned(), "document_number".to_owned()));
    assert_eq!(at(Stage::Registered).refuses(Act::Print { copies: 61 }), Reason::FieldInvalid);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Random acts never skip a stage, and the history replays to the same life, bit for bit.
    #[test]
    fn req_11_random_acts_keep_a_life_sound(steps in proptest::collection::vec((0..19_usize, any::<bool>(), 0..3_i64), 50)) {
        let mut world = World::new();
        for (act, yes, days) in steps {
            world.today = jiyao_calendar::days_later(world.today, days);
            let act = match every_act()[act].clone() {
                Act::Review { post, mark, opinion, .. } => Act::Review { post, mark, opinion, approve: yes },
                // What ends a life comes seldom, or every sequence would be short.
                Act::Void { .. } | Act::Revoke { .. } if yes => continue,
                act => act,
            };
            let Ok(entry) = world.decide(act) else { continue };
            let (from, to) = (entry.from, entry.to);
            let forward = (to as usize).saturating_sub(from as usize);
            prop_assert!(forward <= 1 || (from, to) == (Stage::Issued, Stage::Archived), "{from:?} to {to:?}");
            world.life.apply(entry);
            if world.life.stage.is_issued() {
                prop_assert!(world.life.signed.is_some() && world.life.issued.is_some() && !world.life.number.is_empty());
                prop_assert!(world.life.disclosure.is_some());
                prop_assert!(!matches!(world.life.quorum, Quorum::Unknown | Quorum::NotMet));
            }
        }
        let mut replayed = Life::draft("起草人");
        for entry in world.life.history.clone() {
            replayed.apply(entry);
        }
        prop_assert_eq!(serde_json::to_vec(&replayed).unwrap(), serde_json::to_vec(&world.life).unwrap());
    }
}
