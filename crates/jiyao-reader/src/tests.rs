use proptest::prelude::*;

use super::*;

const SAMPLE: &str = include_str!("../../jiyao-cli/sample/minutes.txt");

fn read_plain(text: &str) -> Reading {
    read(text, &Words::default())
}

/// What must hold for every text at all.
fn check_lossless(text: &str) {
    let reading = read_plain(text);
    let leaves: String = reading.tree.leaves().iter().map(|leaf| leaf.span.of(text)).collect();
    assert_eq!(leaves, text);
    for Placed { kind, fact, .. } in reading.facts.all() {
        let printed = printed(text, &fact.spans, &reading.repairs);
        let says = [
            Some(printed.clone()),
            iso_date(&printed),
            printed_ordinal(&printed).map(|ordinal| ordinal.to_string()),
        ];
        assert!(
            says.contains(&Some(fact.value.to_string())),
            "{kind}: {:?} is printed as {printed:?}",
            fact.value
        );
    }
}

#[test]
fn the_sample_is_read_whole() {
    let reading = read_plain(SAMPLE);
    assert_eq!(reading.doubts, []);
    let facts = &reading.facts;
    let value = |fact: &Option<Fact>| fact.as_ref().map(|fact| fact.value.to_string()).unwrap_or_default();
    assert_eq!(value(&facts.issuer), "临岚市人民政府");
    assert_eq!(value(&facts.document_number), "〔2025〕9号");
    assert_eq!(value(&facts.meeting.kind), "常务会议");
    assert_eq!(facts.meeting.ordinal.as_ref().unwrap().value, 42);
    assert_eq!(value(&facts.meeting.date), "2025-04-15");
    assert_eq!(value(&facts.meeting.session), "下午");
    assert_eq!(value(&facts.meeting.chair), "方知远");
    assert_eq!(facts.items.len(), 7);
    let decisions: Vec<_> = facts.items.iter().flat_map(|item| &item.decisions).collect();
    let table: Vec<_> = decisions
        .iter()
        .map(|decision| {
            let leads: Vec<_> = decision.lead_units.iter().map(|fact| fact.value.as_str()).collect();
            (
                decision.outcome.value.as_str(),
                leads.concat(),
                value(&decision.next_step),
                value(&decision.next_body),
            )
        })
        .collect();
    let row =
        |lead: &str, step: &str, body: &str| ("原则同意", lead.to_owned(), step.to_owned(), body.to_owned());
    assert_eq!(
        table,
        [
            row("市住建局", "报市委财经委审议", "市委财经委"),
            row("市司法局", "按程序印发实施", ""),
            row("市交通局", "", ""),
            row("市水务局", "按程序提请市人大常委会审议", "市人大常委会"),
            row("市委组织部（市人才办）", "提请市委常委会审议", "市委常委会"),
        ]
    );
    assert_eq!(value(&decisions[2].effective_date), "2025-06-01");
    assert_eq!(decisions[4].subjects[0].value, "临岚市青年人才安居若干措施");
    assert_eq!(facts.items[5].decisions, []);
    assert_eq!(facts.items[6].no, None);
    let people = &facts.attendance;
    assert_eq!((people.present.len(), people.observers.len(), people.recorders.len()), (8, 51, 1));
    let glued = &people.observers[6];
    assert_eq!((value(&glued.unit), value(&glued.name)), ("市委宣传部".to_owned(), "宋雅文".to_owned()));
    let court = people.observers.last().unwrap();
    assert_eq!((value(&court.unit), court.name.is_none()), ("市中级人民法院".to_owned(), true));
    let recipients: Vec<_> = facts.distribution.iter().map(|fact| fact.value.as_str()).collect();
    assert_eq!(
        recipients,
        ["各县、区人民政府", "临岚高新区管委会", "青禾开发区管委会", "市各有关部门和单位"]
    );
    assert_eq!(value(&facts.disclosure), "此件公开发布");
    let imprint =
        |imprint: &Option<Imprint>| imprint.as_ref().map(|i| (value(&i.by), value(&i.date))).unwrap();
    assert_eq!(imprint(&facts.compiled), ("临岚市人民政府办公室".to_owned(), "2025-04-24".to_owned()));
    assert_eq!(imprint(&facts.printed), ("临岚市人民政府办公室".to_owned(), "2025-04-27".to_owned()));
}

#[test]
fn the_sample_is_lossless_and_every_fact_is_where_it_says() {
    check_lossless(SAMPLE);
    assert!(read_plain(SAMPLE).repairs.iter().any(|repair| repair.kind == RepairKind::PageBreak));
    assert!(read_plain(SAMPLE).repairs.iter().any(|repair| repair.kind == RepairKind::LineWrap));
}

#[test]
fn windows_line_ends_and_a_mark_at_the_start_change_no_fact() {
    let values = |text: &str| serde_json::to_value(read_plain(text).facts).unwrap();
    assert_eq!(values(&SAMPLE.replace('\n', "\r\n")), values(SAMPLE));
    assert_eq!(values(&format!("\u{feff}{SAMPLE}")), values(SAMPLE));
    check_lossless(&format!("\u{feff}{}", SAMPLE.replace('\n', "\r\n")));
}

#[test]
fn a_line_break_that_may_part_two_entries_is_put_to_a_person() {
    let read_roll = |list: &str| {
        let text = format!("临岚市人民政府常务会议纪要\n出席：方知远\n列席：{list}\n");
        let reading = read_plain(&text);
        let codes = reading.doubts.iter().map(|doubt| doubt.code);
        let codes: Vec<_> = codes.filter(|code| *code != DoubtCode::DateUnproved).collect();
        (reading.facts.attendance.observers.len(), codes)
    };
    // 云上谷 is no known unit: it may be all of an entry with 温如玉, or the beginning of the next.
    for list in ["云上谷温如玉\n市中级人民法院的代表", "云上谷温如玉\n市教育局章树声"]
    {
        assert_eq!(read_roll(list), (1, vec![DoubtCode::SplitAmbiguous]), "{list}");
    }
    // Nothing before the break could be a name, or each part is proved.
    assert_eq!(read_roll("市中级人\n民法院的代表"), (1, vec![]));
    assert_eq!(read_roll("市人力资源社会\n保障局章树声"), (1, vec![]));
    assert_eq!(read_roll("市财政局温如玉\n市教育局章树声"), (2, vec![]));
}

#[test]
fn what_is_not_proved_is_a_doubt_with_candidates() {
    let text = SAMPLE.replace("市发改委杜衡", "新设机构乙甲").replace("由市水务局根据", "由新设机构根据");
    let doubts = read_plain(&text).doubts;
    let codes: Vec<_> = doubts.iter().map(|doubt| doubt.code).collect();
    assert_eq!(codes, [DoubtCode::UnitUnproved, DoubtCode::EntryUnproved]);
    assert_eq!(doubts[0].spans[0].of(&text), "新设机构");
    assert!(!doubts[1].candidates.is_empty());
    let unclosed = SAMPLE.replace("有关部门和单位。", "有关部门和单位");
    assert!(read_plain(&unclosed).doubts.iter().any(|doubt| doubt.code == DoubtCode::ListUnclosed));
    let mut words = Words::default();
    words.add_units("新设机构");
    assert_eq!(read(&text, &words).doubts.len(), 1);
}

#[test]
fn a_verdict_in_principle_never_comes_out_as_a_plain_one() {
    for (said, verdict) in [
        ("同意", "同意"),
        ("原则同意", "原则同意"),
        ("原则上同意", "原则上同意"),
        ("原则通过", "原则通过"),
        ("审议通过", "审议通过"),
        ("不同意", "不同意"),
        ("审议并原则同意", "原则同意"),
        ("研究审议并原则同意", "原则同意"),
        ("讨论并原则通过", "原则通过"),
        ("经研究，一致同意", "一致同意"),
        ("暂缓审议", "暂缓审议"),
    ] {
        let text = format!("一、审议《甲办法》\n\n（一）会议{said}《甲办法》。由市民政局负责落实。\n");
        let facts = read_plain(&text).facts;
        let outcomes: Vec<_> = facts.items[0].decisions.iter().map(|d| d.outcome.value.as_str()).collect();
        assert_eq!(outcomes, [verdict], "{said}");
    }
}

#[test]
fn other_texts_have_no_fact() {
    for text in ["", "\n\n", "hello world", "今天天气很好。", "\u{0}\u{1}", "《《《"] {
        assert!(!read_plain(text).facts.is_minutes(), "{text:?}");
        check_lossless(text);
    }
}

#[test]
fn hostile_texts_take_linear_time() {
    for unit in ["一、", "（", "《", "报", "、", "由", "出席：", "同意", "第", "年", "张", " ", "一、《\n"]
    {
        check_lossless(&unit.repeat(20_000));
        check_lossless(&format!("一、甲\n（一）同意{}", unit.repeat(20_000)));
        check_lossless(&format!("列席：{}", unit.repeat(20_000)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_text_is_lossless(text in "\\PC{0,200}") {
        check_lossless(&text);
    }

    #[test]
    fn any_mutation_of_the_sample_is_lossless(
        cuts in prop::collection::vec((0_usize..4000, 0_usize..30, "[一、。（）《》：\n 出席列同意由报2年月日第次]{0,6}"), 1..6)
    ) {
        let mut chars: Vec<char> = SAMPLE.chars().collect();
        for (at, length, insert) in cuts {
            let at = at.min(chars.len());
            let to = (at + length).min(chars.len());
            chars.splice(at..to, insert.chars());
        }
        check_lossless(&chars.into_iter().collect::<String>());
    }
}

fn minutes_of(decided: &str) -> String {
    format!(
        "临岚市人民政府第42次常务会议纪要\n2025年4月15日上午，市长方知远主持召开第42次常务会议。现纪要如下：\n一、关于停车收费\n{decided}\n"
    )
}

fn outcomes(reading: &Reading) -> Vec<&str> {
    let decisions = reading.facts.items.iter().flat_map(|item| &item.decisions);
    decisions.map(|decision| decision.outcome.value.as_str()).collect()
}

/// Whatever turns a verdict round is printed with it, or the verdict is a doubt: the positive alone never comes out.
#[test]
fn a_negated_verdict_never_comes_out_as_its_opposite() {
    let negations =
        ["没有", "未", "未能", "尚未", "并未", "没能", "不", "并非", "未获", "无法", "难以", "拒绝", "不能"];
    let between = ["", "一致", "完全", "予以"];
    for negation in negations {
        for between in between {
            for verdict in ["原则同意", "原则通过", "同意", "通过", "原则上同意"] {
                for lead in ["会议", "会议经研究，", "经讨论，会议", ""] {
                    let text = minutes_of(&format!("{lead}{negation}{between}{verdict}停车收费方案。"));
                    let reading = read(&text, &Words::default());
                    for outcome in outcomes(&reading) {
                        assert!(outcome.starts_with(negation), "{outcome} of {text}");
                    }
                    let is_told = !outcomes(&reading).is_empty()
                        || !reading.doubts.is_empty()
                        || !reading.uncovered.is_empty();
                    assert!(is_told, "nothing tells of {text}");
                }
            }
        }
    }
    let text = minutes_of("会议没有原则同意停车收费方案，退回市发改委重新论证。");
    let reading = read(&text, &Words::default());
    assert_eq!(outcomes(&reading), ["没有原则同意"]);
    assert_eq!(reading.facts.items[0].decisions[0].subjects[0].value, "停车收费方案");
}

#[test]
fn what_somebody_says_is_no_verdict_of_the_meeting() {
    let text = "临岚市人民政府第42次常务会议纪要\n2025年4月15日上午，市长方知远主持召开第42次常务会议。现纪要如下：\n一、关于停车收费\n\
                贺兰舟：同意涨价。\n市财政局：原则同意，但要先听证。\n钱德安：同意。\n邱明谦表示，不同意涨价。\n\
                市发改委认为，原则同意方案但时机不当。\n会议决定暂缓实施停车收费方案。\n出席：方知远 贺兰舟 邱明谦\n";
    let reading = read(text, &Words::default());
    assert_eq!(outcomes(&reading), ["暂缓实施"], "{:?}", reading.facts.items);
    let doubted: Vec<_> = reading.doubts.iter().map(|doubt| doubt.spans[0].of(text)).collect();
    // Those who were there are known to speak; of the others a person is asked.
    for said in ["原则同意，但要先听证", "同意", "不同意涨价", "原则同意方案但时机不当"]
    {
        assert!(doubted.contains(&said), "{said} is not among {doubted:?}");
    }
    assert_eq!(reading.uncovered.iter().map(|span| span.of(text)).collect::<Vec<_>>(), ["同意"]);
    let of_meeting = minutes_of("会议认为，方案成熟，原则同意停车收费方案。\n与会人员一致认为，同意试行。");
    assert_eq!(outcomes(&read(&of_meeting, &Words::default())), ["原则同意", "同意"]);
}

#[test]
fn what_begins_with_a_word_that_may_end_a_verdict_is_agreed_to_all_the_same() {
    for (decided, subjects) in [
        ("会议同意与临岚公交集团签订服务协议。", vec!["与临岚公交集团签订服务协议"]),
        ("会议同意人防办提出的计划。", vec!["人防办提出的计划"]),
        ("会议同意书面征求意见。", vec!["书面征求意见"]),
        ("会议同意后勤保障方案。", vec!["后勤保障方案"]),
        ("会议同意率先试点。", vec!["率先试点"]),
        ("会议同意：户籍改革方案。", vec!["户籍改革方案"]),
        (
            "会议同意：\n（一）安排经费300万元；\n（二）改造泵站，由市水务局负责。",
            vec!["安排经费300万元", "改造泵站"],
        ),
    ] {
        let text = minutes_of(decided);
        let reading = read(&text, &Words::default());
        assert_eq!(outcomes(&reading), ["同意"], "{decided}");
        let found: Vec<_> = reading.facts.items[0].decisions[0]
            .subjects
            .iter()
            .map(|subject| subject.value.as_str())
            .collect();
        assert_eq!(found, subjects);
    }
    for no_verdict in [
        "征得业主同意后实施。",
        "会议讨论了同意书的格式。",
        "同意12票，反对3票。",
        "无论同意与否均须公示。",
        "会议统计同意人数。",
    ] {
        let text = minutes_of(no_verdict);
        assert_eq!(outcomes(&read(&text, &Words::default())), Vec::<&str>::new(), "{no_verdict}");
    }
}

#[test]
fn a_number_that_is_no_year_is_none() {
    let of = |head: &str| {
        let text = format!(
            "临岚市人民政府第42次常务会议纪要\n{head}\n4月15日上午，市长方知远主持召开第42次常务会议。现纪要如下：\n一、关于停车\n会议同意方案。\n2025年4月20日\n"
        );
        read(&text, &Words::default()).facts.meeting.date.map(|date| date.value.to_string())
    };
    for head in ["阅读量：7368", "阅读次数 2031", "访问量：1999\n", "编号 0001"] {
        assert_eq!(of(head).as_deref(), Some("2025-04-15"), "{head}");
    }
    assert_eq!(dates::all("7368年6月20日").next().and_then(|found| found.iso), None);
}

#[test]
fn a_verdict_outside_all_items_is_put_to_a_person() {
    let text = "2025年4月15日上午，市长方知远主持召开市政府第42次常务会议，研究停车等事项。\n\
                会议指出，方案总体可行，原则同意市发改委意见。由市发改委负责修改完善。\n";
    let reading = read(text, &Words::default());
    let doubts = reading.doubts.iter().filter(|doubt| doubt.code == DoubtCode::VerdictUnproved);
    assert!(!outcomes(&reading).is_empty() || doubts.count() > 0, "{reading:?}");
}
