use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiyao_journal::{find_open, make_folder};
use serde::{Deserialize, Serialize};

/// Settings that every service has. An empty text means "not set".
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServeConfig {
    /// Address and port to listen on. Off loopback, `tls_cert`, `tls_key` and `tokens` are required.
    pub listen: String,
    /// Folder of all that the service keeps.
    pub data_dir: String,
    /// Local mode: everyone who reaches the port is this principal. Loopback only; not together with `tokens`.
    #[serde(rename = "as")]
    pub local: String,
    /// File of token hashes; read again when it changes.
    pub tokens: String,
    /// Certificate chain, PEM.
    pub tls_cert: String,
    /// Its private key, PEM.
    pub tls_key: String,
    /// Log filter, e.g. `info` or `info,jiyao_ledger=debug`.
    pub log: String,
    /// Address and port of metrics for Prometheus; empty: none.
    pub metrics: String,
    /// Collector of traces that takes OTLP over gRPC, e.g. `http://127.0.0.1:4317`; empty: none.
    pub traces: String,
    /// Whether reflection is served.
    pub reflection: bool,
    /// Bytes of disk, in MiB, that stay free: below it writes are refused.
    pub reserve_mb: u32,
    /// Size of a journal segment in MiB, 8 to 1024.
    pub segment_mb: u32,
    /// How long calls under way may take to end after SIGTERM.
    pub drain_seconds: u32,
    /// Longest unary call.
    pub timeout_seconds: u32,
    /// Connections in total.
    pub connections: u32,
    /// Connections from one address.
    pub connections_per_peer: u32,
    /// Streams on one connection.
    pub streams: u32,
    /// Calls under way in total; more are shed.
    pub calls: u32,
}

impl Default for ServeConfig {
    fn default() -> Self {
        Self {
            listen: String::new(),
            data_dir: String::new(),
            local: "local".to_owned(),
            tokens: String::new(),
            tls_cert: String::new(),
            tls_key: String::new(),
            log: "info".to_owned(),
            metrics: String::new(),
            traces: String::new(),
            reflection: true,
            reserve_mb: 64,
            segment_mb: 8,
            drain_seconds: 10,
            timeout_seconds: 10,
            connections: 1024,
            connections_per_peer: 128,
            streams: 128,
            calls: 512,
        }
    }
}

/// A file's path, where one is set.
pub(crate) fn path(setting: &str) -> Option<&Path> {
    (!setting.is_empty()).then(|| Path::new(setting))
}

impl ServeConfig {
    /// Defaults for a service with this port and folder name.
    #[must_use]
    pub fn for_service(port: u16, folder: &str) -> Self {
        Self {
            listen: format!("127.0.0.1:{port}"),
            data_dir: format!("jiyao-data/{folder}"),
            ..Self::default()
        }
    }

    /// The address to listen on.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn address(&self) -> Result<SocketAddr, String> {
        self.listen
            .parse()
            .map_err(|_| format!("listen = {:?} is no address and port, such as 127.0.0.1:7101", self.listen))
    }

    /// The address of metrics; None: none are served.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn metrics_address(&self) -> Result<Option<SocketAddr>, String> {
        let bad = |_| format!("metrics = {:?} is no address and port, such as 127.0.0.1:9101", self.metrics);
        if self.metrics.is_empty() { Ok(None) } else { self.metrics.parse().map(Some).map_err(bad) }
    }

    /// Checks what can be checked without doing anything.
    ///
    /// # Errors
    /// The first thing that does not hold, in words.
    pub fn check(&self) -> Result<(), String> {
        let address = self.address()?;
        self.metrics_address()?;
        jiyao_telemetry::check_filter(&self.log)?;
        if !self.traces.is_empty()
            && !self.traces.starts_with("http://")
            && !self.traces.starts_with("https://")
        {
            return Err(format!("traces = {:?} is no address such as http://127.0.0.1:4317", self.traces));
        }
        let has_tls = !self.tls_cert.is_empty() && !self.tls_key.is_empty();
        if self.tls_cert.is_empty() != self.tls_key.is_empty() {
            return Err("tls_cert and tls_key belong together: set both or none".to_owned());
        }
        if !address.ip().is_loopback() && (!has_tls || self.tokens.is_empty()) {
            return Err(format!("listen = {address} is not loopback: set tls_cert, tls_key and tokens"));
        }
        if self.tokens.is_empty() && self.local.is_empty() {
            return Err("nobody could call: set tokens, or as for local mode".to_owned());
        }
        for (key, file) in [("tls_cert", &self.tls_cert), ("tls_key", &self.tls_key)] {
            if let Some(file) = path(file) {
                fs_err::read(file).map_err(|e| format!("{key}: {e}"))?;
            }
        }
        if let Some(file) = path(&self.tokens) {
            crate::identity::check_token_file(file).map_err(|e| format!("tokens: {e}"))?;
        }
        if !(8..=1024).contains(&self.segment_mb) {
            return Err(format!("segment_mb = {} is not within 8 to 1024", self.segment_mb));
        }
        for (key, value) in [
            ("drain_seconds", self.drain_seconds),
            ("timeout_seconds", self.timeout_seconds),
            ("connections", self.connections),
            ("connections_per_peer", self.connections_per_peer),
            ("streams", self.streams),
            ("calls", self.calls),
        ] {
            if value == 0 {
                return Err(format!("{key} must be at least 1"));
            }
        }
        if self.data_dir.is_empty() {
            return Err("data_dir is empty".to_owned());
        }
        let folder = self.folder();
        let open =
            make_folder(&folder).and_then(|()| find_open(&folder)).map_err(|e| format!("data_dir: {e}"))?;
        match open {
            None => Ok(()),
            Some((path, mode)) => Err(format!(
                "data_dir: others than its owner may use {} (mode {mode:04o}); take that away with: chmod -R go= {}",
                path.display(),
                folder.display()
            )),
        }
    }

    /// The data folder.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        PathBuf::from(&self.data_dir)
    }

    /// Sizes of the journal.
    #[must_use]
    pub fn journal(&self) -> jiyao_journal::Options {
        jiyao_journal::Options {
            segment_size: u64::from(self.segment_mb) << 20,
            reserve: u64::from(self.reserve_mb) << 20,
        }
    }

    pub(crate) fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds.into())
    }
}
