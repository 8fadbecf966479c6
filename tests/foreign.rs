//! The same story told to a client that nobody here wrote: `buf curl`, over reflection.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use jiyao_testkit::{Local, SAMPLE, release_folder, skip};
use serde_json::{Value, json};
use tempfile::TempDir;

/// `buf` from PATH, or where `.ci/run` puts it.
fn buf() -> Option<PathBuf> {
    let installed = release_folder().parent()?.join("tools/node_modules/.bin/buf");
    let candidates = [installed, PathBuf::from("buf")];
    candidates
        .into_iter()
        .find(|path| Command::new(path).arg("--version").output().is_ok_and(|o| o.status.success()))
}

struct Curl {
    buf: PathBuf,
}

impl Curl {
    /// Answer or error, as JSON, with the exit code.
    fn call(
        &self,
        address: &std::net::SocketAddr,
        method: &str,
        request: &Value,
        more: &[&str],
    ) -> Result<(i32, Value)> {
        let output = Command::new(&self.buf)
            .args(["curl", "--http2-prior-knowledge", "--protocol", "grpc", "--data", &request.to_string()])
            .args(more)
            .arg(format!("http://{address}/{method}"))
            .output()?;
        let code = output.status.code().context("buf was killed")?;
        let bytes = if code == 0 { &output.stdout } else { &output.stderr };
        let Ok(value) = serde_json::from_slice(bytes) else {
            bail!("{method}: {}", String::from_utf8_lossy(&output.stderr));
        };
        Ok((code, value))
    }
}

/// Base64 as JSON carries bytes.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bytes
        .chunks(3)
        .flat_map(|chunk| {
            let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte))
                << (8 * (3 - chunk.len()));
            (0..4).map(move |at| {
                if at <= chunk.len() { DIGITS[(word >> (18 - 6 * at) & 63) as usize] as char } else { '=' }
            })
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn buf_curl_tells_the_whole_story() -> Result<()> {
    let Some(buf) = buf() else {
        skip("buf curl", "buf is not installed (npm install @bufbuild/buf)");
        return Ok(());
    };
    let curl = Curl { buf };
    let folder = TempDir::new()?;
    let services = Local::start(folder.path()).await?;
    let records = |method: &str| format!("jiyao.records.v1.RecordsService/{method}");
    let organ = json!({"organ_id": "linlan", "organ": {"display_name": "临岚市人民政府"}});
    let (code, created) = curl.call(&services.records, &records("CreateOrgan"), &organ, &[])?;
    assert_eq!((code, &created["organ"]["name"]), (0, &json!("organs/linlan")));

    let import = json!({"parent": "organs/linlan", "source": {"content": base64(SAMPLE.as_bytes())}});
    let (code, imported) = curl.call(&services.records, &records("ImportMinutes"), &import, &[])?;
    assert_eq!(code, 0, "{imported}");
    let (name, position) = (imported["minutes"]["name"].as_str().context("name")?, &imported["position"]);
    let outcome = &imported["minutes"]["facts"]["items"][0]["decisions"][0];
    assert_eq!(outcome["leadUnits"][0]["value"], "市住建局");
    assert_eq!(outcome["outcome"]["value"], "原则同意");

    for version in ["grpc-v1", "grpc-v1alpha"] {
        let roll = json!({"name": format!("{name}/roll"), "read_after": position});
        let method = "jiyao.attendance.v1.AttendanceService/GetRoll";
        let (code, roll) =
            curl.call(&services.attendance, method, &roll, &["--reflect-protocol", version])?;
        assert_eq!((code, &roll["roll"]["present"], &roll["roll"]["observers"]), (0, &json!(8), &json!(51)));
    }
    let list = json!({"name": format!("{name}/distributionList"), "read_after": position});
    let method = "jiyao.distribution.v1.DistributionService/GetDistributionList";
    let (_, list) = curl.call(&services.distribution, method, &list, &[])?;
    assert_eq!(list["list"]["recipients"][1]["title"], "临岚高新区管委会");

    let nobody = json!({"parent": "organs/nobody"});
    let language = ["--header", "accept-language: zh-CN"];
    let (code, refused) = curl.call(&services.records, &records("ListMinutes"), &nobody, &language)?;
    // buf's exit code is eight times the gRPC code: NOT_FOUND is 5.
    assert_eq!((code, &refused["code"]), (40, &json!("not_found")), "{refused}");
    let kinds: Vec<_> =
        refused["details"].as_array().context("details")?.iter().map(|detail| &detail["type"]).collect();
    for kind in ["google.rpc.ErrorInfo", "google.rpc.BadRequest", "google.rpc.LocalizedMessage"] {
        assert!(kinds.contains(&&json!(kind)), "{kinds:?}");
    }
    services.stop().await
}
