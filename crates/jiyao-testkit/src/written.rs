//! Minutes with known truth: random facts, written out, wrapped as a printer wraps them.

use jiyao_reader::{Attendance, Attendee, Decision, Fact, Facts, Imprint, Item, Meeting, Spans, write};

use crate::Dice;

const PLACES: [&str; 8] = ["临岚", "青禾", "云溪", "石埠", "南浦", "白河", "松原岭", "东湖"];
const LEVELS: [&str; 3] = ["市", "县", "区"];
const OFFICES: [&str; 24] = [
    "发改委",
    "教育局",
    "科技局",
    "工信局",
    "公安局",
    "民政局",
    "司法局",
    "财政局",
    "人社局",
    "自然资源局",
    "生态环境局",
    "住建局",
    "交通运输局",
    "水利局",
    "农业农村局",
    "商务局",
    "文广旅局",
    "卫生健康委",
    "审计局",
    "应急管理局",
    "统计局",
    "信访局",
    "医保局",
    "市场监管局",
];
const SURNAMES: [&str; 24] = [
    "王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "徐", "孙", "胡", "朱", "林", "何", "郭",
    "罗", "梁", "宋", "欧阳", "司马", "夏侯", "诸葛",
];
const GIVEN: &str = "伟芳娜敏静丽强磊洋艳勇杰娟涛超霞平刚桂英华玉兰春梅建国志明永健俊峰海波思远嘉怡雨晴";
const THINGS: [&str; 8] = [
    "养老服务",
    "城市更新",
    "水源保护",
    "校车安全",
    "公共停车",
    "历史街区保护",
    "农村公路养护",
    "应急物资储备",
];
const PAPERS: [&str; 6] = ["管理办法", "实施方案", "三年行动计划", "专项规划", "若干措施", "工作细则"];
const VERDICTS: [&str; 6] = ["原则同意", "原则上同意", "原则通过", "审议通过", "同意", "不同意"];
const KINDS: [&str; 4] = ["常务会议", "办公会议", "全体会议", "专题会议"];
const NUMERALS: [&str; 12] = ["一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二"];

/// Minutes and the facts that they say.
pub struct Written {
    /// What a reader must find.
    pub facts: Facts,
    /// The text, one line a paragraph.
    pub text: String,
}

fn fact<T>(value: impl Into<T>) -> Fact<T> {
    Fact { value: value.into(), spans: Spans::new() }
}

struct Author<'d> {
    dice: &'d mut Dice,
    place: &'static str,
    level: &'static str,
}

impl Author<'_> {
    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.dice.below(from.len() as u64) as usize]
    }

    fn chance(&mut self, of: u64) -> bool {
        self.dice.below(of) == 0
    }

    fn name(&mut self) -> String {
        let given: Vec<char> = GIVEN.chars().collect();
        let length = 1 + self.dice.below(2);
        let mut name = self.pick(&SURNAMES).to_owned();
        for _ in 0..length {
            name.push(self.pick(&given));
        }
        name
    }

    fn office(&mut self) -> String {
        self.level.to_owned() + self.pick(&OFFICES)
    }

    fn date(&mut self) -> String {
        format!("2025-{:02}-{:02}", 1 + self.dice.below(12), 1 + self.dice.below(28))
    }

    fn title(&mut self) -> String {
        let (thing, paper) = (self.pick(&THINGS), self.pick(&PAPERS));
        format!("{}{}{thing}{paper}", self.place, self.level)
    }

    fn decision(&mut self, title: &str) -> Decision {
        let lead = self.office();
        let mut support = self.office();
        while support == lead {
            support = self.office();
        }
        let council = format!("{}委常委会", self.level);
        let (next_step, next_body) = match self.dice.below(5) {
            0 => (Some(format!("报{council}审议")), Some(council)),
            1 => (Some("按程序印发实施".to_owned()), None),
            2 => (Some(format!("以{}政府名义印发", self.level)), None),
            3 => {
                (Some(format!("提请{}人大常委会审议", self.level)), Some(format!("{}人大常委会", self.level)))
            }
            _ => (None, None),
        };
        let deadline = match self.dice.below(6) {
            0 => Some(format!("{}月底前", 1 + self.dice.below(12))),
            1 => Some(format!("{}个工作日内", 1 + self.dice.below(30))),
            2 => Some("年底前".to_owned()),
            _ => None,
        };
        Decision {
            outcome: fact(self.pick(&VERDICTS).to_owned()),
            subjects: vec![fact(title.to_owned())],
            lead_units: vec![fact(lead)],
            support_units: if self.chance(3) { vec![fact(support)] } else { Vec::new() },
            next_step: next_step.map(fact),
            next_body: next_body.map(fact),
            effective_date: if self.chance(5) { Some(fact(self.date())) } else { None },
            deadlines: deadline.map(fact).into_iter().collect(),
        }
    }

    fn item(&mut self, no: &str) -> Item {
        if self.chance(4) {
            let thing = self.pick(&THINGS);
            let heading = format!("听取{}{thing}工作情况的汇报", self.level);
            return Item { no: Some(fact(no.to_owned())), heading: Some(fact(heading)), ..Item::default() };
        }
        let title = self.title();
        Item {
            no: Some(fact(no.to_owned())),
            heading: Some(fact(format!("审议《{title}》"))),
            decisions: vec![self.decision(&title)],
            documents: vec![fact(title)],
        }
    }

    fn people(&mut self, most: u64, with_unit: bool) -> Vec<Attendee> {
        let mut entries: Vec<Attendee> = Vec::new();
        for _ in 0..self.dice.below(most + 1) {
            let unit = if with_unit { Some(fact(self.office())) } else { None };
            let entry = Attendee { unit, name: Some(fact(self.name())) };
            if !entries.contains(&entry) {
                entries.push(entry);
            }
        }
        entries
    }
}

/// Random minutes. The same dice give the same minutes.
pub fn written(dice: &mut Dice) -> Written {
    let place = PLACES[dice.below(PLACES.len() as u64) as usize];
    let level = LEVELS[dice.below(LEVELS.len() as u64) as usize];
    let mut author = Author { dice, place, level };
    let issuer = format!("{place}{level}人民政府");
    let office = format!("{issuer}办公室");
    let imprint =
        |author: &mut Author<'_>| Imprint { by: Some(fact(office.clone())), date: Some(fact(author.date())) };
    let count = 1 + author.dice.below(NUMERALS.len() as u64 - 1) as usize;
    let items = NUMERALS[..count].iter().map(|no| author.item(no)).collect();
    let mut observers = author.people(6, false);
    observers.extend(author.people(60, true));
    let facts = Facts {
        issuer: Some(fact(issuer)),
        document_number: Some(fact(format!("〔2025〕{}号", 1 + author.dice.below(99)))),
        meeting: Meeting {
            kind: Some(fact(author.pick(&KINDS).to_owned())),
            ordinal: Some(fact(1 + author.dice.below(150) as u32)),
            term: if author.chance(2) { Some(fact(1 + author.dice.below(30) as u32)) } else { None },
            date: Some(fact(author.date())),
            session: if author.chance(2) {
                Some(fact(author.pick(&["上午", "下午", "晚上"]).to_owned()))
            } else {
                None
            },
            chair: Some(fact(author.name())),
        },
        items,
        attendance: Attendance {
            present: author.people(12, false),
            observers,
            absent: author.people(2, false),
            recorders: vec![fact(author.name())],
        },
        compiled: if author.chance(2) { Some(imprint(&mut author)) } else { None },
        disclosure: if author.chance(2) { Some(fact("此件公开发布".to_owned())) } else { None },
        distribution: vec![fact(format!("各{level}、区人民政府")), fact(format!("{level}各有关部门和单位"))],
        printed: Some(imprint(&mut author)),
    };
    let text = write(&facts);
    Written { facts, text }
}

/// The text as a printer sets it: lines of so many characters, and after every so many lines the number of the page.
#[must_use]
pub fn set_in_lines(text: &str, characters: usize, lines_a_page: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut page = 1;
    for paragraph in text.lines().filter(|line| !line.is_empty()) {
        let characters_of: Vec<char> = paragraph.chars().collect();
        for line in characters_of.chunks(characters) {
            lines.push(line.iter().collect());
            if lines.len() % (lines_a_page + 1) == lines_a_page {
                lines.push(format!("— {page} —"));
                page += 1;
            }
        }
    }
    lines.join("\n") + "\n"
}
