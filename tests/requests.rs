//! Requests made by chance from the descriptors, for every method of the three services: each is answered, or refused by
//! a reason that its comment names at a field that its message has, and never ends a handler, a connection or a service.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use jiyao_client::NewMeeting;
use jiyao_fault::{Fault, Reason};
use jiyao_phrases::Lang;
use jiyao_testkit::{DIRECTORY, Dice, Local, Raw, SAMPLE, docx, numbered};
use prost::Message as _;
use prost::bytes::Bytes;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor,
    ReflectMessage as _, Value,
};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::distribution::House;
use crate::faults::is_long;

/// How deep messages are filled.
const DEPTH: u8 = 4;
/// What is kept of words seen under one field's name.
const KEPT: usize = 40;
/// How long a stream is listened to.
const LISTENING: Duration = Duration::from_millis(30);
/// How often a request is corrected where its refusal says.
const TRIES: usize = 6;

/// Packages that each of the three serves.
const SHARED: [&str; 2] = ["jiyao.journal.v1", "jiyao.operations.v1"];

const RUBBISH: [&str; 18] = [
    "",
    " ",
    "/",
    "organs/",
    "organs/-",
    "organs/-/minutes/-",
    "../../etc/passwd",
    "\0",
    "\u{202e}倒",
    "💥",
    "0001-01-01",
    "9999-12-31",
    "2026-02-30",
    "-1",
    "18446744073709551616",
    "organs/linlan/minutes/00000000-0000-0000-0000-000000000000",
    "W/\"7\"",
    "甲、乙，丙；丁",
];

/// What came of a request: answered, or why not.
type Outcome = Option<Reason>;

/// Makes messages by chance: of what the services said before, of requests that came further than others, and of
/// rubbish.
struct Author {
    dice: Dice,
    /// Words of answers, by the names of their fields.
    seen: BTreeMap<String, Vec<String>>,
    /// The last request to each method with each outcome, which others are made of.
    met: BTreeMap<String, BTreeMap<Outcome, DynamicMessage>>,
    /// One word or number in so many is rubbish.
    rubbish: u64,
}

impl Author {
    fn chance(&mut self, of: u64) -> bool {
        self.dice.below(of) == 0
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.dice.below(of.len() as u64) as usize]
    }

    /// Keeps the words of an answer, by the names of their fields.
    fn learn(&mut self, message: &DynamicMessage) {
        for (field, value) in message.fields() {
            let values: Vec<&Value> = match value {
                Value::List(list) => list.iter().take(5).collect(),
                one => vec![one],
            };
            for value in values {
                match value {
                    Value::Message(inner) => self.learn(inner),
                    Value::String(text) if text.len() < 300 => self.keep(field.name(), text),
                    _ => {}
                }
            }
        }
    }

    /// Keeps a word under its field's name, and a resource's name under its kind too.
    fn keep(&mut self, field: &str, text: &str) {
        let kind = text.rsplit('/').nth(1).filter(|_| text.starts_with("organs/"));
        if let Some(kind) = kind.map(|kind| format!("{kind}/")).filter(|kind| kind != field) {
            self.keep(&kind, text);
        }
        let at = self.dice.below(KEPT as u64) as usize;
        let words = self.seen.entry(field.to_owned()).or_default();
        if words.iter().any(|word| word == text) {
            return;
        }
        match words.get_mut(at) {
            Some(place) => text.clone_into(place),
            None => words.push(text.to_owned()),
        }
    }

    fn text(&mut self, field: &str) -> String {
        if self.chance(self.rubbish) {
            return if self.chance(20) { "长".repeat(3000) } else { (*self.one(&RUBBISH)).to_owned() };
        }
        let is_date = |word: &str| matches!(word, "date" | "day" | "on" | "due" | "until" | "from" | "to");
        match field {
            "request_id" => return uuid::Uuid::from_u128(self.dice.below(u64::MAX).into()).to_string(),
            "page_token" if !self.chance(3) => return String::new(),
            _ if field.split('_').any(is_date) => {
                return format!("2026-{:02}-{:02}", 1 + self.dice.below(12), 1 + self.dice.below(28));
            }
            _ => {}
        }
        let of_this = if field == "parent" { "organ" } else { field };
        let any = self.dice.below(self.seen.len() as u64) as usize;
        let of_this = if self.chance(8) { None } else { self.seen.get(of_this) };
        let words = of_this.or_else(|| self.seen.values().nth(any)).cloned().unwrap_or_default();
        if words.is_empty() { String::new() } else { self.one(&words).clone() }
    }

    fn number(&mut self) -> i64 {
        let edges =
            [i64::MAX, i64::MIN, -1, i64::from(i32::MAX), i64::from(i32::MIN), 1 << 40, 253_402_300_800];
        if self.chance(self.rubbish) { *self.one(&edges) } else { self.dice.below(6).cast_signed() }
    }

    fn bytes(&mut self) -> Vec<u8> {
        let at = self.dice.below(10_000) as usize;
        match self.dice.below(7) {
            0 => Vec::new(),
            1 => numbered(at).into_bytes(),
            2 => DIRECTORY.into(),
            3 => docx(&[SAMPLE]).unwrap_or_default(),
            4 => SAMPLE.as_bytes()[..at.min(SAMPLE.len())].to_vec(),
            5 => [&b"PK\x03\x04"[..], &[7; 300]].concat(),
            _ => SAMPLE.into(),
        }
    }

    fn value(&mut self, field: &FieldDescriptor, depth: u8) -> Value {
        // Versions that were looked at are seldom the newest.
        let number = if field.name() == "etag" && !self.chance(6) { 0 } else { self.number() };
        match field.kind() {
            Kind::Double => Value::F64(*self.one(&[0.5, f64::NAN, f64::INFINITY, -1e300])),
            Kind::Float => Value::F32(*self.one(&[0.5, f32::NAN, f32::INFINITY, -1e30])),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(number as i32),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(number),
            Kind::Uint32 | Kind::Fixed32 => Value::U32(number as u32),
            Kind::Uint64 | Kind::Fixed64 => Value::U64(number as u64),
            Kind::Bool => Value::Bool(self.chance(2)),
            Kind::String => Value::String(self.text(field.name())),
            Kind::Bytes => Value::Bytes(self.bytes().into()),
            Kind::Enum(of) => {
                let known: Vec<i32> = of.values().map(|value| value.number()).collect();
                Value::EnumNumber(if self.chance(self.rubbish) { number as i32 } else { *self.one(&known) })
            }
            Kind::Message(of)
                if of.full_name() == "google.protobuf.Timestamp" && !self.chance(self.rubbish) =>
            {
                let mut time = DynamicMessage::new(of);
                let seconds = 1_767_225_600 + self.dice.below(31_536_000).cast_signed();
                time.set_field_by_name("seconds", Value::I64(seconds));
                Value::Message(time)
            }
            Kind::Message(of) => Value::Message(self.message(&of, depth + 1)),
        }
    }

    fn field(&mut self, field: &FieldDescriptor, depth: u8) -> Value {
        if !field.is_list() {
            return self.value(field, depth);
        }
        let many = if self.chance(self.rubbish * 4) { 300 } else { self.dice.below(4) };
        Value::List((0..many).map(|_| self.value(field, depth)).collect())
    }

    fn message(&mut self, of: &MessageDescriptor, depth: u8) -> DynamicMessage {
        let mut message = DynamicMessage::new(of.clone());
        for field in of.fields().filter(|field| !field.is_map()) {
            let is_message = matches!(field.kind(), Kind::Message(_));
            // What narrows or waits is seldom, or nothing comes of anything.
            let is_rare = matches!(field.name(), "read_mask" | "read_after" | "after" | "page_token");
            let is_left_out = if is_rare { !self.chance(6) } else { self.chance(4) };
            let is_too_deep = is_message && depth >= DEPTH;
            if !is_left_out && !is_too_deep {
                let value = self.field(&field, depth);
                message.set_field(&field, value);
            }
        }
        message
    }

    /// A request to a method: a new one, or one that was met with some part of it anew.
    fn request(&mut self, method: &MethodDescriptor) -> DynamicMessage {
        self.rubbish = *self.one(&[5, 20, 100, 1000]);
        let met: Vec<DynamicMessage> =
            self.met.get(method.full_name()).into_iter().flat_map(BTreeMap::values).cloned().collect();
        if met.is_empty() || self.chance(3) {
            return self.message(&method.input(), 0);
        }
        let mut message = self.one(&met).clone();
        self.change(&mut message, 0);
        message
    }

    /// Makes the field anew that a refusal is at.
    fn correct(&mut self, message: &mut DynamicMessage, path: &str, depth: u8) {
        let (name, rest) = step(path);
        let Some(field) = message.descriptor().get_field_by_name(name) else { return };
        if let Some(rest) = rest
            && !field.is_list()
            && message.has_field(&field)
            && let Value::Message(inner) = message.get_field_mut(&field)
        {
            return self.correct(inner, rest, depth + 1);
        }
        let kinds: Vec<String> = self.seen.keys().filter(|kind| kind.ends_with('/')).cloned().collect();
        let value = if field.kind() == Kind::String && !field.is_list() && !self.chance(3) {
            let kind = self.one(&kinds).clone();
            Value::String(self.text(&kind))
        } else {
            self.field(&field, depth)
        };
        message.set_field(&field, value);
    }

    /// Makes a part of a message anew, at any depth.
    fn change(&mut self, message: &mut DynamicMessage, depth: u8) {
        let fields: Vec<FieldDescriptor> =
            message.descriptor().fields().filter(|field| !field.is_map()).collect();
        if fields.is_empty() {
            return;
        }
        let field = self.one(&fields).clone();
        if !field.is_list()
            && message.has_field(&field)
            && self.chance(2)
            && let Value::Message(inner) = message.get_field_mut(&field)
        {
            return self.change(inner, depth + 1);
        }
        if self.chance(4) {
            message.clear_field(&field);
        } else {
            let value = self.field(&field, depth);
            message.set_field(&field, value);
        }
        if let Some(id) = message.descriptor().get_field_by_name("request_id") {
            let value = self.field(&id, depth);
            message.set_field(&id, value);
        }
    }
}

/// The first field that a path such as `source.rows[3].name` names, and the rest of the path.
fn step(path: &str) -> (&str, Option<&str>) {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    (first.split('[').next().unwrap_or_default(), rest)
}

/// Whether a path such as `source.rows[3].name` leads to a field of a message.
fn leads_somewhere(path: &str, message: &MessageDescriptor) -> bool {
    let (name, rest) = step(path);
    let Some(field) = message.get_field_by_name(name) else { return false };
    match (rest, field.kind()) {
        (None, _) => true,
        (Some(rest), Kind::Message(inner)) => leads_somewhere(rest, &inner),
        (Some(_), _) => false,
    }
}

/// What a method answers: its messages, as far as they came while one listened.
async fn call(
    channel: &Channel,
    method: &MethodDescriptor,
    requests: &[Bytes],
    unit: Option<&str>,
) -> Result<Vec<Bytes>, Status> {
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let asked = |message: Bytes| {
        let mut request = Request::new(message);
        let encoded =
            |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>().parse();
        if let Some(unit) = unit
            && let (Ok(name), Ok(unit)) = (encoded("联络员"), encoded(unit))
        {
            request.metadata_mut().insert(jiyao_wire::AS, name);
            request.metadata_mut().insert(jiyao_wire::UNIT, unit);
        }
        request
    };
    let path = path.parse().map_err(|_| Status::invalid_argument("no path"))?;
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.map_err(|e| Status::unavailable(e.to_string()))?;
    if method.is_server_streaming() {
        let mut stream = grpc.server_streaming(asked(requests[0].clone()), path, Raw).await?.into_inner();
        let mut all = Vec::new();
        while let Ok(Some(message)) =
            tokio::time::timeout(LISTENING, stream.message()).await.unwrap_or(Ok(None))
        {
            all.push(message);
            if all.len() == 20 {
                break;
            }
        }
        return Ok(all);
    }
    let answer = if method.is_client_streaming() {
        let all = tokio_stream::iter(requests.to_vec());
        grpc.client_streaming(Request::new(all), path, Raw).await?
    } else {
        grpc.unary(asked(requests[0].clone()), path, Raw).await?
    };
    Ok(vec![answer.into_inner()])
}

/// Checks a refusal: typed, by a reason that is no bug of ours, at fields that are there.
fn check(status: &Status, method: &MethodDescriptor) -> Result<(Reason, Vec<String>), String> {
    let received = jiyao_wire::from_status(status);
    if matches!(status.code(), Code::Internal | Code::Unknown | Code::DataLoss | Code::Unimplemented) {
        return Err(format!("{:?}: {}", status.code(), status.message()));
    }
    let reason = received.reason.ok_or_else(|| format!("no reason: {status}"))?;
    for field in &received.fields {
        if !leads_somewhere(field, &method.input()) {
            return Err(format!("{reason:?} is at {field}, which its request does not have"));
        }
    }
    Ok((reason, received.fields))
}

/// Every method of the three, with a connection to who has it.
async fn methods_of(services: &Local) -> Result<Vec<(Channel, MethodDescriptor)>> {
    let pool = DescriptorPool::decode(jiyao_proto::DESCRIPTORS)?;
    let mut methods = Vec::new();
    for (package, address) in [
        ("records", services.records),
        ("attendance", services.attendance),
        ("distribution", services.distribution),
    ] {
        let channel = Channel::from_shared(format!("http://{address}"))?.connect().await?;
        let own = format!("jiyao.{package}.v1");
        for service in pool.services() {
            let of = service.parent_file().package_name().to_owned();
            if of == own || SHARED.contains(&of.as_str()) {
                methods.extend(service.methods().map(|method| (channel.clone(), method)));
            }
        }
    }
    Ok(methods)
}

/// Whether a call of any kind may be refused so, as proto/README.md says.
fn is_common(reason: Reason) -> bool {
    let form =
        [Reason::FieldRequired, Reason::FieldInvalid, Reason::MessageUnreadable, Reason::PageTokenInvalid];
    let change = [Reason::RequestIdReused, Reason::EtagStale, Reason::StateForbids, Reason::DiskFull];
    form.contains(&reason) || change.contains(&reason) || reason.as_str().ends_with("_NOT_FOUND")
}

/// The refusals that the comment of each method names, with those of other methods that it refers to.
fn documented() -> Result<BTreeMap<String, BTreeSet<Reason>>> {
    let mut comments: BTreeMap<String, String> = BTreeMap::new();
    let proto = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/jiyao");
    for package in fs_err::read_dir(proto)? {
        for file in fs_err::read_dir(package?.path().join("v1"))? {
            let mut comment = String::new();
            for line in fs_err::read_to_string(file?.path())?.lines().map(str::trim) {
                if let Some(words) = line.strip_prefix("//") {
                    comment += words;
                } else {
                    let method = line.strip_prefix("rpc ").and_then(|rpc| rpc.split('(').next());
                    let errors = comment.split_once("Errors:").map_or("", |(_, errors)| errors);
                    comments.extend(method.map(|method| (method.to_owned(), errors.to_owned())));
                    comment.clear();
                }
            }
        }
    }
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = |of: &str| of.split(|c| !is_word(c)).map(str::to_owned).collect::<Vec<_>>();
    let mut all = BTreeMap::new();
    for method in comments.keys() {
        let (mut reasons, mut met, mut open) = (BTreeSet::new(), BTreeSet::new(), vec![method.clone()]);
        while let Some(word) = open.pop() {
            reasons.extend(Reason::from_wire(&word));
            if let Some(errors) = comments.get(&word).filter(|_| met.insert(word.clone())) {
                open.extend(words(errors));
            }
        }
        all.insert(method.clone(), reasons);
    }
    Ok(all)
}

/// What is read with the requests that were answered, by method.
async fn read_again(
    methods: &[(Channel, MethodDescriptor)],
    author: &Author,
) -> BTreeMap<String, Result<Bytes, Code>> {
    let mut answers = BTreeMap::new();
    for (channel, method) in methods {
        let is_read =
            ["Get", "List", "Search", "Compare", "What"].iter().any(|word| method.name().starts_with(word));
        // These tell of the moment in which they are asked.
        let is_of_now = ["GetQuorum", "ListPresent"].contains(&method.name());
        let is_of_all = SHARED.contains(&method.parent_file().package_name());
        let request = author.met.get(method.full_name()).and_then(|outcomes| outcomes.get(&None));
        if let Some(request) =
            request.filter(|_| is_read && !is_of_now && !is_of_all && !method.is_server_streaming())
        {
            let answer = call(channel, method, &[request.encode_to_vec().into()], None).await;
            let answer = answer.map(|mut all| all.remove(0)).map_err(|status| status.code());
            answers.insert(method.full_name().to_owned(), answer);
        }
    }
    answers
}

#[test]
fn refusals_without_a_reason_of_ours_or_at_no_field_are_found() -> Result<()> {
    let pool = DescriptorPool::decode(jiyao_proto::DESCRIPTORS)?;
    let service = pool.get_service_by_name("jiyao.records.v1.LifecycleService").unwrap();
    let method = service.methods().find(|method| method.name() == "CompareVersions").unwrap();
    let checked = |fault: Fault| check(&jiyao_wire::to_status(&fault, Lang::En), &method);
    assert!(checked(Fault::required("before.revision.name")).is_ok());
    for nowhere in ["revision", "before.name", "before.text.name", "changes[0].kind"] {
        assert!(checked(Fault::required(nowhere)).is_err(), "{nowhere}");
    }
    assert!(checked(Fault::internal("a bug")).is_err());
    assert!(check(&Status::out_of_range("too large"), &method).is_err());
    let told = documented()?;
    assert!(told["ImportMinutes"].contains(&Reason::SourceUnreadable), "it is as ReadMinutes: {told:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_request_to_any_method_is_answered_or_refused() -> Result<()> {
    let house = House::new().await?;
    let House { services, client, organ, .. } = &house;
    let (minutes, deliveries) = house.issued().await?;
    let meeting = NewMeeting {
        kind: "常务会议".into(),
        title: "第7次常务会议".into(),
        date: "2026-06-02".into(),
        ..NewMeeting::default()
    };
    let meeting = client.create_meeting(organ, meeting).await?.name;
    let matters = client.pick_matters(&minutes).await?.matters;
    let mut author =
        Author { dice: Dice::new("requests"), seen: BTreeMap::new(), met: BTreeMap::new(), rubbish: 1 };
    author.keep("organ", organ);
    ["name", "minutes", "of"].into_iter().for_each(|field| author.keep(field, &minutes));
    for name in [&meeting, &deliveries[0].name, &matters[0].summary.name] {
        author.keep("name", name);
    }
    for unit in deliveries.iter().map(|delivery| &delivery.title) {
        author.keep("unit", unit);
    }

    let methods = methods_of(services).await?;
    let documented = documented()?;
    let rounds = if is_long() { 200 } else { 20 };
    let mut outcomes: BTreeMap<Outcome, usize> = BTreeMap::new();
    let mut findings: BTreeMap<String, String> = BTreeMap::new();
    for _ in 0..rounds {
        for (channel, method) in &methods {
            let many = if method.is_client_streaming() { 3 } else { 1 };
            let mut messages: Vec<DynamicMessage> = (0..many).map(|_| author.request(method)).collect();
            // Longer ones are refused by HTTP itself.
            let unit = author.chance(3).then(|| author.text("unit")).filter(|unit| unit.len() < 300);
            for _ in 0..=TRIES {
                let requests: Vec<Bytes> =
                    messages.iter().map(|message| message.encode_to_vec().into()).collect();
                let (outcome, fields) = match call(channel, method, &requests, unit.as_deref()).await {
                    Ok(answers) => {
                        for answer in answers {
                            let answer = DynamicMessage::decode(method.output(), answer);
                            author.learn(&answer?);
                        }
                        (None, Vec::new())
                    }
                    Err(status) => {
                        let (reason, fields) = check(&status, method).unwrap_or_else(|finding| {
                            let asked = serde_json::to_string(&messages).unwrap_or_default();
                            findings.entry(format!("{}: {finding}", method.full_name())).or_insert(asked);
                            (Reason::Internal, Vec::new())
                        });
                        (Some(reason), fields)
                    }
                };
                *outcomes.entry(outcome).or_default() += 1;
                if let Some(reason) = outcome
                    && !is_common(reason)
                    && !documented.get(method.name()).is_some_and(|reasons| reasons.contains(&reason))
                {
                    let asked = serde_json::to_string(&messages).unwrap_or_default();
                    let finding = format!("{}: its comment does not tell of {reason:?}", method.full_name());
                    if is_long() {
                        findings.entry(finding).or_insert(asked);
                    } else {
                        // Seldom met ones are for the long form, lest chance decides what may land.
                        println!("{finding}");
                    }
                }
                let is_of_form = !matches!(outcome, Some(Reason::FieldInvalid | Reason::FieldRequired));
                if is_of_form && let Some(message) = messages.last() {
                    let of_method = author.met.entry(method.full_name().to_owned()).or_default();
                    of_method.insert(outcome, message.clone());
                }
                let Some(path) = fields.first() else { break };
                messages.iter_mut().for_each(|message| author.correct(message, path, 0));
            }
        }
    }
    for (finding, asked) in &findings {
        println!("{finding}: {}", asked.chars().take(2000).collect::<String>());
    }
    assert!(findings.is_empty(), "{:?}", findings.keys());
    let is_answered =
        |method: &&str| author.met.get(*method).is_some_and(|outcomes| outcomes.contains_key(&None));
    let names = methods.iter().map(|(_, method)| method.full_name());
    let never: BTreeSet<&str> = names.filter(|method| !is_answered(method)).collect();
    println!("{} methods, of which {} never answered: {never:?}", methods.len(), never.len());
    println!("{} outcomes: {outcomes:?}", outcomes.len());
    assert!(never.len() * 2 < methods.len(), "it says little of methods that are refused alone");

    // What came of it is on record: with its state made anew each service answers the same.
    let before = read_again(&methods, &author).await;
    assert!(before.len() > 20, "{} reads", before.len());
    let House { services, folder, .. } = house;
    services.stop().await?;
    for service in ["records", "attendance", "distribution"] {
        fs_err::remove_dir_all(folder.path().join(service).join("state"))?;
    }
    let services = Local::start_joined(folder.path(), |_| {}).await?;
    let mut other = None;
    // What was being followed when they stopped comes a moment later.
    for _ in 0..100 {
        let after = read_again(&methods_of(&services).await?, &author).await;
        other = before
            .iter()
            .find(|(method, answer)| after.get(*method) != Some(answer))
            .map(|(method, _)| method);
        if other.is_none() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(other, None, "it answers other than before its state was made anew");
    services.stop().await
}
