//! The child process that reads hostile files, and its parent's side.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use jiyao_fault::{Fault, Reason, Result};
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::{Format, docx, pdf};

const ARGUMENT: &str = "--extract-child";
/// What comes before an answer: parsers may print.
const MARK: &[u8] = b"\0jiyao-extract\0";
/// Address space of a child.
const MEMORY: u64 = 512 << 20;
/// Processor seconds of a child, and how long its parent waits for it.
const SECONDS: u64 = 10;
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(5);

/// Whether this process was started as a child.
#[must_use]
pub fn is_child() -> bool {
    std::env::args_os().nth(1).is_some_and(|argument| argument == ARGUMENT)
}

/// The child: reads a file from standard input, and writes its text, or why there is none, to standard output.
#[must_use]
pub fn child() -> ExitCode {
    let limit = |most| Rlimit { current: Some(most), maximum: Some(most) };
    let limited = setrlimit(Resource::As, limit(MEMORY))
        .and_then(|()| setrlimit(Resource::Cpu, limit(SECONDS)))
        .and_then(|()| setrlimit(Resource::Core, limit(0)));
    if limited.is_err() {
        return ExitCode::from(2);
    }
    let mut bytes = Vec::new();
    if std::io::stdin().lock().read_to_end(&mut bytes).is_err() {
        return ExitCode::from(3);
    }
    let read = match std::env::args().nth(2).as_deref() {
        Some("DOCX") => docx::text(&bytes),
        _ => pdf::text(&bytes),
    };
    let (kind, said) = match read {
        Ok(text) => (b'+', text),
        Err(why) => (b'-', why),
    };
    let mut out = std::io::stdout().lock();
    let written = out
        .write_all(MARK)
        .and_then(|()| out.write_all(&[kind]))
        .and_then(|()| out.write_all(said.as_bytes()))
        .and_then(|()| out.flush());
    if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(4) }
}

/// Has a child read a file, and ends it when nobody wants that any more.
pub(crate) fn run(
    program: &Path,
    format: Format,
    bytes: &[u8],
    field: &str,
    is_wanted: &dyn Fn() -> bool,
) -> Result<String> {
    let unreadable = |why: String| {
        Fault::new(Reason::SourceUnreadable).at(field).with("format", format.as_str()).with("why", why)
    };
    let mut process = Command::new(program)
        .args([ARGUMENT, format.as_str()])
        // What the allocator takes in advance counts towards the limit.
        .env("MIMALLOC_ARENA_RESERVE", "32M")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(Fault::internal)?;
    let (input, output) = (process.stdin.take(), process.stdout.take());
    let bytes = bytes.to_vec();
    // A child that ends early closes its input: that is no fault of the parent.
    let feeding = std::thread::spawn(move || input.map(|mut input| input.write_all(&bytes)));
    let reading = std::thread::spawn(move || {
        let mut answer = Vec::new();
        output.map(|mut output| output.read_to_end(&mut answer));
        answer
    });
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        match process.try_wait().map_err(Fault::internal)? {
            Some(status) => break Some(status),
            None if Instant::now() >= deadline || !is_wanted() => break None,
            None => std::thread::sleep(POLL),
        }
    };
    if status.is_none() {
        let _ = process.kill();
        let _ = process.wait();
    }
    let _ = feeding.join();
    let answer = reading.join().unwrap_or_default();
    let said =
        answer.windows(MARK.len()).rposition(|window| window == MARK).map(|at| &answer[at + MARK.len()..]);
    match (status, said.and_then(<[u8]>::split_first)) {
        (Some(status), Some((b'+', text))) if status.success() => {
            String::from_utf8(text.to_vec()).map_err(Fault::internal)
        }
        (Some(_), Some((b'-', why))) => Err(unreadable(String::from_utf8_lossy(why).into_owned())),
        (Some(status), _) => Err(unreadable(ended(status))),
        (None, _) => Err(unreadable("its reading took too long".to_owned())),
    }
}

fn ended(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match status.signal() {
        Some(signal) => {
            format!("its reading was ended by signal {signal}: a limit of memory or time, or a fault")
        }
        None => format!("its reading ended with {}", status.code().unwrap_or(-1)),
    }
}
