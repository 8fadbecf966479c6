use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::Receiver;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// Folder of the programs that this test run builds: the one the test itself was built into.
#[must_use]
pub fn release_folder() -> PathBuf {
    let test = std::env::current_exe().unwrap_or_default();
    test.ancestors().nth(2).unwrap_or(Path::new("target/debug")).to_owned()
}

/// What this process has built: once is enough, and one at a time.
static BUILT: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// The program of a package, built now if it is not current. With a feature it goes to a place of its own.
///
/// # Errors
/// A build that fails.
pub fn binary(package: &str, program: &str, feature: Option<&str>) -> Result<PathBuf> {
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = release_folder();
    let mut target = folder.parent().unwrap_or(Path::new("target")).to_owned();
    let mut command = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    command.args(["build", "--quiet", "--package", package, "--bin", program]);
    if let Some(feature) = feature {
        target = target.join(feature);
        command.args(["--features", feature]);
    }
    // The profile that this test or benchmark was built with.
    match folder.file_name().and_then(|name| name.to_str()) {
        None | Some("debug") => {}
        Some(profile) => {
            command.args(["--profile", profile]);
        }
    }
    let path = target.join(folder.file_name().unwrap_or("debug".as_ref())).join(program);
    if built.contains(&path) {
        return Ok(path);
    }
    command.arg("--target-dir").arg(&target).current_dir(env!("CARGO_MANIFEST_DIR"));
    // What cargo tells this process of its package, build scripts of others would take for a change, and build anew.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_CRATE_"].iter().any(|of| name.starts_with(of)) {
            command.env_remove(name.as_ref());
        }
    }
    let status = command.status().context("run cargo")?;
    if !status.success() {
        bail!("{command:?} failed");
    }
    built.push(path.clone());
    Ok(path)
}

/// An address at which nobody listens.
const NOBODY: &str = "http://127.0.0.1:1";
/// How long a program may take to say that it listens.
const START: Duration = Duration::from_secs(30);

/// A service as a process. Killed when dropped.
pub struct Process {
    child: Child,
    logged: Mutex<Receiver<String>>,
    /// Where it listens.
    pub address: String,
}

impl Process {
    /// Starts a program and waits until it says where it listens.
    ///
    /// # Errors
    /// A program that ends, or says nothing within half a minute; with its error output.
    pub fn start(program: &Path, arguments: &[&str]) -> Result<Self> {
        Self::start_within(program, arguments, START)
    }

    /// The same for a program that may take longer.
    ///
    /// # Errors
    /// A program that ends, or says nothing for so long; with its error output.
    pub fn start_within(program: &Path, arguments: &[&str], patience: Duration) -> Result<Self> {
        Self::begin(program, arguments, "listening on ", patience)
    }

    /// The same for a program that says it in other words before the address.
    ///
    /// # Errors
    /// As [`Process::start`].
    pub fn start_saying(program: &Path, arguments: &[&str], words: &str) -> Result<Self> {
        Self::begin(program, arguments, words, START)
    }

    fn begin(program: &Path, arguments: &[&str], words: &str, patience: Duration) -> Result<Self> {
        let mut child = Command::new(program)
            .args(arguments)
            // A service that a test does not name is not followed: on the usual ports another test may serve meanwhile.
            .env("JIYAO_ATTENDANCE_RECORDS", NOBODY)
            .env("JIYAO_DISTRIBUTION_RECORDS", NOBODY)
            .env("JIYAO_DISTRIBUTION_ATTENDANCE", NOBODY)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let (out, mut err) = (child.stdout.take().context("stdout")?, child.stderr.take().context("stderr")?);
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        // What it logs is kept, and read on so that it never blocks.
        let (log, logged) = std::sync::mpsc::channel();
        let show = std::env::var_os("JIYAO_LOGS").is_some();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = err.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
                if show {
                    eprint!("{text}");
                }
                let _ = log.send(text);
            }
        });
        let deadline = Instant::now() + patience;
        let mut process = Self { child, logged: Mutex::new(logged), address: String::new() };
        loop {
            match told.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(address) = line.strip_prefix(words) {
                        process.address = address.to_owned();
                        return Ok(process);
                    }
                }
                Err(_) => {
                    let _ = process.child.kill();
                    let ended = process.child.wait()?;
                    std::thread::sleep(Duration::from_millis(50));
                    bail!("{} did not start ({ended}): {}", program.display(), process.logged());
                }
            }
        }
    }

    /// What it has logged since this was asked last, or since it started.
    #[must_use]
    pub fn logged(&self) -> String {
        self.logged.lock().unwrap_or_else(PoisonError::into_inner).try_iter().collect()
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has in memory now (`VmRSS`), or has had at most (`VmHWM`), in MiB.
    ///
    /// # Errors
    /// Where it has ended.
    pub fn memory(&self, line: &str) -> Result<f64> {
        let status = fs_err::read_to_string(format!("/proc/{}/status", self.id()))?;
        let kib = status.lines().find_map(|of| of.strip_prefix(line)?.strip_prefix(':'));
        let kib = kib.and_then(|kib| kib.split_whitespace().next()).context("no such line")?;
        Ok(kib.parse::<f64>()? / 1024.0)
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// A process that is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.child.id())?).context("process id")?;
        Ok(kill_process(pid, signal)?)
    }

    /// Ends it as a crash does, at once.
    ///
    /// # Errors
    /// A process that is gone.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Stops it with SIGTERM.
    ///
    /// # Errors
    /// One that does not end within half a minute.
    pub fn stop(self) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.ended()
    }

    /// Waits for it to end by itself.
    ///
    /// # Errors
    /// One that does not end within half a minute.
    pub fn ended(mut self) -> Result<ExitStatus> {
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("the process does not end")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
