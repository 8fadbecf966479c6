//! The `jiyao` command as a person types it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use jiyao_client::ListMinutes;
use jiyao_reader::Words;
use jiyao_testkit::{Local, Process, SAMPLE, binary, numbered, skip};
use tempfile::TempDir;

fn jiyao(arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(binary("jiyao-cli", "jiyao", None)?);
    command.args(arguments).stdin(Stdio::null()).env("LANG", "C").env_remove("LC_ALL");
    Ok(command.output()?)
}

/// Held by tests that use the ports of a stack that somebody starts without saying more.
static USUAL_PORTS: Mutex<()> = Mutex::new(());

fn out(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

fn err(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn sample(folder: &TempDir) -> Result<String> {
    let path = folder.path().join("minutes.txt");
    fs_err::write(&path, SAMPLE)?;
    Ok(path.display().to_string())
}

#[test]
fn demo_tells_the_whole_story_in_both_languages_and_keeps_its_data() -> Result<()> {
    let _ports = USUAL_PORTS.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = TempDir::new()?;
    let data = folder.path().join("data").display().to_string();
    let told = out(&jiyao(&["demo", "--once", "--data-dir", &data])?);
    for words in [
        "Verdict",
        "原则同意",
        "市住建局",
        "提请市委常委会审议",
        "市热线专班",
        "各县、区人民政府",
        "class",
        &data,
    ] {
        assert!(told.contains(words), "{told}\nlacks {words}");
    }
    assert!(!told.contains("grpcurl"), "nothing that needs services is named where they end: {told}");
    let again = out(&jiyao(&["demo", "--once", "--data-dir", &data, "--lang", "zh"])?);
    assert!(again.contains("此前已登记，内容相同") && again.contains("议定事项"), "{again}");
    let own = sample(&folder)?;
    fs_err::write(&own, numbered(5))?;
    assert!(out(&jiyao(&["demo", "--once", &own])?).contains("〔2026〕6号"));
    Ok(())
}

#[test]
fn read_prints_facts_and_says_what_is_wrong() -> Result<()> {
    let folder = TempDir::new()?;
    let file = sample(&folder)?;
    let printed: serde_json::Value = serde_json::from_str(&out(&jiyao(&["read", "--facts", &file])?))?;
    let facts = jiyao_reader::read(SAMPLE, &Words::default()).facts;
    assert_eq!(printed, serde_json::to_value(facts)?);
    let told = out(&jiyao(&["read", &file, "--lang", "zh"])?);
    assert!(told.contains("临岚市人民政府") && told.contains("疑点"), "{told}");
    let doubtful = SAMPLE.replace("市发改委杜衡", "新设机构乙甲");
    fs_err::write(&file, doubtful)?;
    let told = out(&jiyao(&["read", &file])?);
    assert!(told.contains("neither the unit dictionary") && told.contains("candidates: "), "{told}");

    assert!(err(&jiyao(&["read", "/nowhere.txt"])?).contains("/nowhere.txt"));
    fs_err::write(&file, "")?;
    assert!(err(&jiyao(&["read", &file])?).contains("SOURCE_EMPTY"));
    fs_err::write(&file, b"caf\xe9")?;
    assert!(err(&jiyao(&["read", &file, "--lang", "zh"])?).contains("UTF-8"));
    Ok(())
}

#[test]
fn import_list_and_show_work_against_running_services() -> Result<()> {
    let folder = TempDir::new()?;
    let data = folder.path().join("data").display().to_string();
    let up = Up::start(&data)?;
    let file = sample(&folder)?;
    let with = |arguments: &[&str]| {
        jiyao(&[&up.flags().iter().map(String::as_str).collect::<Vec<_>>()[..], arguments].concat())
    };

    let refused = err(&with(&["import", &file])?);
    assert!(refused.contains("临岚市人民政府") && refused.contains("--create-organ"), "{refused}");
    let second = folder.path().join("second.txt").display().to_string();
    fs_err::write(&second, numbered(1))?;
    let imported = out(&with(&["import", "--create-organ", &file, &second])?);
    assert_eq!(imported.matches("recorded as").count(), 2, "{imported}");
    assert!(out(&with(&["import", &file])?).contains("the same bytes"));
    let missing = err(&with(&["import", &file, "/nowhere.txt"])?);
    assert!(missing.contains("/nowhere.txt"), "{missing}");

    let listed = out(&with(&["list"])?);
    assert!(listed.contains("〔2025〕9号") && listed.contains("2 in all"), "{listed}");
    assert!(out(&with(&["list", "--year", "1999"])?).contains("No minutes"));
    let name =
        listed.split_whitespace().find(|word| word.starts_with("organs/")).unwrap_or_default().to_owned();
    let shown = out(&with(&["show", &name])?);
    assert!(
        shown.contains("市住建局") && shown.contains("骆青山") && shown.contains("青禾开发区管委会"),
        "{shown}"
    );
    let texts = [SAMPLE.to_owned(), numbered(1)];
    assert!(texts.contains(&out(&with(&["show", "--text", &name])?)));
    assert!(err(&with(&["show", "organs/none"])?).contains("FIELD_INVALID"));
    drop(up);
    let down = err(&jiyao(&["--records", "http://127.0.0.1:1", "list"])?);
    assert!(down.contains("http://127.0.0.1:1") && down.contains("refused"), "{down}");
    Ok(())
}

/// `jiyao up` on free ports.
struct Up {
    _process: Process,
    addresses: Vec<String>,
}

impl Up {
    fn start(data: &str) -> Result<Self> {
        // A shell prints the ports of all three and then says that it is ready, as a service does.
        let program: PathBuf = binary("jiyao-cli", "jiyao", None)?;
        let ports = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let base = if ports > 65_000 { ports - 100 } else { ports };
        let process = Process::start_saying(
            &program,
            &["up", "--data-dir", data, "--port", &base.to_string()],
            "jiyao-distribution listening on ",
        )?;
        let addresses = (0..3).map(|at| format!("http://127.0.0.1:{}", base + at)).collect();
        Ok(Self { _process: process, addresses })
    }

    fn flags(&self) -> Vec<String> {
        ["--records", "--attendance", "--distribution"]
            .iter()
            .zip(&self.addresses)
            .flat_map(|(flag, address)| [(*flag).to_owned(), address.clone()])
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_looks_backs_up_restores_and_verifies() -> Result<()> {
    let folder = TempDir::new()?;
    let services = Local::start(&folder.path().join("data")).await?;
    let [records, attendance, distribution] =
        [services.records, services.attendance, services.distribution].map(|at| format!("http://{at}"));
    let at = ["--records", &records, "--attendance", &attendance, "--distribution", &distribution];
    let run = |arguments: &[&str]| jiyao(&[&at[..], arguments].concat());
    out(&run(&["import", "--create-organ", &sample(&folder)?])?);
    let told = out(&run(&["status"])?);
    for words in ["records", "attendance", "distribution", "0 behind", "never", "MiB"] {
        assert!(told.contains(words), "{told}\nlacks {words}");
    }
    let copies = folder.path().join("copies");
    fs_err::create_dir(&copies)?;
    let to = copies.display().to_string();
    let told = out(&run(&["backup", "--to", &to])?);
    assert_eq!(told.lines().count(), 3, "{told}");
    assert!(out(&run(&["status"])?).contains("0 records since"));
    let mut files: Vec<_> =
        fs_err::read_dir(&copies)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.sort();
    let copy = files.iter().find(|file| file.to_string_lossy().contains("jiyao-records-")).unwrap();
    let named = copy.display().to_string();
    assert!(out(&jiyao(&["verify", &named])?).contains("whole"));
    // The sums are those that other tools check.
    let unpacked = folder.path().join("unpacked");
    fs_err::create_dir(&unpacked)?;
    let checked = Command::new("sh")
        .arg("-c")
        .arg(format!("tar xf {named} && sha256sum -c SHA256SUMS"))
        .current_dir(&unpacked)
        .output()?;
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let elsewhere = folder.path().join("elsewhere").display().to_string();
    assert!(out(&jiyao(&["restore", &named, &elsewhere])?).contains("jiyao-records"));
    assert!(err(&jiyao(&["restore", &named, &elsewhere])?).contains("overwrites nothing"));
    let bytes = fs_err::read(copy)?;
    let cut = folder.path().join("cut.tar");
    fs_err::write(&cut, &bytes[..bytes.len() / 2])?;
    assert!(err(&jiyao(&["verify", &cut.display().to_string()])?).contains("not whole"));
    assert!(err(&jiyao(&["verify", &sample(&folder)?])?).contains("not whole"));
    let told = out(&run(&["verify"])?);
    assert_eq!(told.matches("verify").count(), 3, "{told}");
    assert!(out(&run(&["reconcile"])?).contains("agree"));

    // Two operators erase what must go, and rewrite the backup that still has it.
    assert!(out(&run(&["erase", "list"])?).contains("Nothing was erased"));
    let client = services.client()?;
    let minutes = client.list_minutes(ListMinutes::of("organs/-")).await?.entries.remove(0).name;
    assert!(err(&run(&["erase", "ask", &minutes, "--basis", " "])?).contains("FIELD_REQUIRED"));
    let told = out(&run(&["--as", "甲", "erase", "ask", &minutes, "--basis", "某法第九条"])?);
    let id = told.split_whitespace().last().unwrap().to_owned();
    assert!(err(&run(&["--as", "甲", "erase", "confirm", &id])?).contains("SAME_PERSON"));
    assert!(out(&run(&["erase", "list"])?).contains("waits"));
    let told = out(&run(&["--as", "乙", "erase", "confirm", &id])?);
    assert_eq!(told.matches("is gone").count(), 3, "{told}");
    let told = out(&run(&["erase", "list"])?);
    assert!(["甲", "乙", "某法第九条"].iter().all(|word| told.contains(word)), "{told}");
    assert!(err(&run(&["show", &minutes, "--text"])?).contains("MINUTES_ERASED"));
    assert!(out(&run(&["show", &minutes])?).contains("Content erased"));
    fs_err::create_dir(copies.join("new"))?;
    let newer = copies.join("new").display().to_string();
    out(&run(&["backup", "--to", &newer, "--service", "records"])?);
    let newer = fs_err::read_dir(&newer)?.next().unwrap()?.path().display().to_string();
    let wrong = err(&jiyao(&["erase", "backup", &newer, "--as-in", &named])?);
    assert!(wrong.contains("not a newer one"), "{wrong}");
    let told = out(&jiyao(&["erase", "backup", &named, "--as-in", &newer])?);
    assert!(told.contains("1 records were erased"), "{told}");
    assert!(out(&jiyao(&["verify", &named])?).contains("whole"));

    let away = jiyao(&["--records", &records, "--attendance", "http://127.0.0.1:1", "status"])?;
    assert_eq!(away.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&away.stdout).contains("refused"), "{away:?}");
    Ok(())
}

#[test]
fn help_is_whole_in_both_languages() -> Result<()> {
    let life = "submit review sign proofread register print quorum issue publish archive update revoke repeal void \
                standing compare board matter";
    let matter = "pick create list last show became approve notify accept progress revise dispatch outcome issued \
                  report review extend decide close reopen";
    let matter = matter.split_whitespace().map(|command| format!("matter {command}"));
    let others = ["", "demo", "up", "read", "write", "resolve", "correct", "import", "show", "list", "watch"];
    let commands = others.into_iter().chain(life.split_whitespace()).map(str::to_owned).chain(matter);
    for command in commands {
        let arguments: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let english = out(&jiyao(&arguments)?);
        let chinese = out(&jiyao(&[&arguments[..], &["--lang", "zh"]].concat())?);
        assert!(english.contains("Usage") && english.contains("Options"), "{english}");
        assert!(chinese.contains("用法") && chinese.contains("选项"), "{chinese}");
        for help in [&english, &chinese] {
            assert!(!help.contains("help-"), "an argument has no words: {help}");
        }
        assert_eq!(english.lines().count(), chinese.lines().count());
    }
    for package in ["jiyao-records", "jiyao-attendance", "jiyao-distribution"] {
        let help = out(&Command::new(binary(package, package, None)?)
            .arg("--help")
            .env("LANG", "zh_CN.UTF-8")
            .output()?);
        assert!(help.contains("设置文件") && !help.contains("help-"), "{help}");
    }
    assert!(out(&jiyao(&["--version"])?).starts_with("jiyao "));
    assert_eq!(jiyao(&["nonsense"])?.status.code(), Some(2));
    Ok(())
}

#[test]
fn a_doubt_is_shown_under_its_line_and_its_unit_can_be_saved() -> Result<()> {
    let folder = TempDir::new()?;
    let file = folder.path().join("minutes.txt").display().to_string();
    fs_err::write(&file, SAMPLE.replace("由市水务局根据", "由新设机构根据"))?;
    let told = out(&jiyao(&["read", &file])?);
    let lines: Vec<&str> = told.lines().collect();
    let at = lines.iter().position(|line| line.contains(" | ") && line.contains("新设机构")).unwrap_or(0);
    let carets = lines[at + 1];
    assert_eq!(carets.matches('^').count(), 8, "{told}");
    assert!(lines[at + 2].contains("candidates: 新设机构") && !told.contains('\u{1b}'), "{told}");
    assert!(told.contains("page break") && told.contains("line wrap"), "{told}");

    let units = folder.path().join("units.txt").display().to_string();
    assert!(out(&jiyao(&["read", &file, "--units", &units, "--confirm", "1"])?).contains("Doubts: none"));
    assert_eq!(fs_err::read_to_string(&units)?, "新设机构\n");
    assert!(out(&jiyao(&["read", &file, "--units", &units])?).contains("Doubts: none"));
    out(&jiyao(&["read", &file, "--units", &units, "--facts"])?);
    let wrong = err(&jiyao(&["read", &file, "--units", &units, "--confirm", "7=某局"])?);
    assert!(wrong.contains("--confirm 7=某局"), "{wrong}");
    Ok(())
}

#[test]
fn the_tree_and_the_full_result_are_printed_and_facts_are_written_back() -> Result<()> {
    let folder = TempDir::new()?;
    let file = sample(&folder)?;
    let tree = out(&jiyao(&["read", "--tree", &file])?);
    assert!(tree.starts_with("minutes 0..") && tree.contains("decision.outcome"), "{tree}");
    let json: serde_json::Value = serde_json::from_str(&out(&jiyao(&["read", "--json", &file])?))?;
    assert_eq!(json["text"], SAMPLE);
    assert_eq!(json["facts"]["items"][0]["decisions"][0]["outcome"]["value"], "原则同意");
    let span = &json["facts"]["items"][0]["decisions"][0]["outcome"]["spans"][0];
    let place = |key: &str| span[key].as_u64().unwrap_or(0) as usize;
    assert_eq!(&SAMPLE[place("start")..place("end")], "原则同意");

    let facts = folder.path().join("facts.json").display().to_string();
    fs_err::write(&facts, out(&jiyao(&["read", "--facts", &file])?))?;
    let written = folder.path().join("written.txt").display().to_string();
    fs_err::write(&written, out(&jiyao(&["write", &facts])?))?;
    assert_eq!(out(&jiyao(&["read", "--facts", &written])?), fs_err::read_to_string(&facts)?);
    fs_err::write(&facts, "{\"issuer\": 5}")?;
    assert!(err(&jiyao(&["write", &facts])?).contains("facts.json"));
    Ok(())
}

/// The commands of a README, in its order, as one script; what runs all tests, this one among them, is left out.
fn script(readme: &str) -> String {
    let blocks = readme.split("```").skip(1).step_by(2);
    let typed = blocks.filter_map(|block| block.strip_prefix("sh\n").or(block.strip_prefix("console\n")));
    let commands: String = typed.collect();
    assert!(commands.contains("cargo test --workspace\n"));
    commands.replace("cargo test --workspace\n", "")
}

/// Types what both READMEs tell to type, word for word, in their order, by somebody who has set nothing: each without a
/// terminal and then once more in one.
#[test]
fn what_the_readmes_tell_to_type_works_in_a_bare_shell() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let _ports = USUAL_PORTS.lock().unwrap_or_else(PoisonError::into_inner);
    if ["127.0.0.1:7101", "127.0.0.1:7102", "127.0.0.1:7103"].iter().any(|at| TcpListener::bind(at).is_err())
    {
        skip("what the READMEs tell to type", "another program has the ports 7101 to 7103");
        return Ok(());
    }
    let both = ["README.md", "README.zh-CN.md"];
    for (name, has_terminal) in both.into_iter().flat_map(|name| [(name, false), (name, true)]) {
        let folder = TempDir::new()?;
        let file = folder.path().join("typed.sh");
        fs_err::write(&file, script(&fs_err::read_to_string(root.join(name))?))?;
        // After a command that fails, what was begun before it ends too.
        let typed = format!("trap 'kill $(jobs -p) 2> /dev/null || true' EXIT; source {}", file.display());
        let run = ["bash", "-euc", &typed];
        // As narrow as terminals are.
        let in_terminal = format!("stty cols 80; bash -euc \"{}\"", typed.replace('$', "\\$"));
        let mut bash = Command::new("timeout");
        bash.args(["--kill-after", "10", "540"]);
        match has_terminal {
            true => bash.args(["script", "--quiet", "--return", "--command", &in_terminal, "/dev/null"]),
            false => bash.args(run),
        };
        bash.env_clear().current_dir(&root).stdin(Stdio::null());
        for kept in ["PATH", "HOME"] {
            bash.env(kept, std::env::var_os(kept).unwrap_or_default());
        }
        let told = bash.env("TERM", "xterm").output()?;
        let said = String::from_utf8_lossy(&told.stdout);
        let complained = String::from_utf8_lossy(&told.stderr);
        assert!(told.status.success(), "{name}: {said}\n{complained}");
        for printed in said.split([' ', '\n', '\r', '│', '┆', ',']).filter(|word| word.starts_with("organs/"))
        {
            let parts: Vec<&str> = printed.split('/').collect();
            let is_whole = parts[1].len() == 34 && parts.get(3).is_none_or(|id| id.len() == 36);
            assert!(is_whole, "{name}: the name {printed} is broken over lines");
        }
        for words in [
            "Quorum met",
            "signed-for 市教育局 章树声",
            "〕1号",
            "(circle)",
            "returned",
            "struck off",
            "Follow-through",
            "Verdict: 原则同意",
            "Records, attendance and distribution agree.",
            "the content of",
        ] {
            assert!(said.contains(words), "{name}: {words} is missing in {said}");
        }
    }
    Ok(())
}
