//! The `jiyao` command as a person types it.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use anyhow::Result;
use jiyao_reader::Words;
use jiyao_testkit::{Process, SAMPLE, binary, numbered};
use tempfile::TempDir;

fn jiyao(arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(binary("jiyao-cli", "jiyao", None)?);
    command.args(arguments).stdin(Stdio::null()).env("LANG", "C").env("COLUMNS", "120").env_remove("LC_ALL");
    Ok(command.output()?)
}

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
    assert_eq!(told.matches("grpcurl -plaintext").count(), 3);
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
    assert!(told.contains("「新设机构乙甲」") && told.contains("candidates"), "{told}");

    assert!(err(&jiyao(&["read", "/nowhere.txt"])?).contains("/nowhere.txt"));
    fs_err::write(&file, "")?;
    assert!(err(&jiyao(&["read", &file])?).contains("SOURCE_EMPTY"));
    fs_err::write(&file, b"\xb8\xc5")?;
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

#[test]
fn help_is_whole_in_both_languages() -> Result<()> {
    for command in ["", "demo", "up", "read", "import", "show", "list", "watch"] {
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
