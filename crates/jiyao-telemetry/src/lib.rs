//! What a service tells those who keep it. Logs, to standard error: English, one line an event. Metrics, for Prometheus.
//! No text of minutes and no names of persons in either.
//!
//! | metric | what |
//! |---|---|
//! | `jiyao_calls_total{method, code}` | calls answered, by gRPC status code |
//! | `jiyao_call_seconds{method}` | until the answer began |
//! | `jiyao_journal_append_seconds` | writing and syncing one group of records |
//! | `jiyao_journal_group_records` | records of a group |
//! | `jiyao_state_apply_seconds` | bringing the state up to a group |
//! | `jiyao_head_sequence` | the newest record |
//! | `jiyao_following_lag_records{source}` | records that it is behind what it follows |
//! | `jiyao_following_stopped{source}` | 1: an operator must reconcile |
//! | `jiyao_journal_bytes`, `jiyao_state_bytes`, `jiyao_disk_free_bytes` | disk |
//! | `jiyao_last_backup_seconds` | when the last backup ended, Unix time; 0: never |

use std::net::SocketAddr;
use std::time::Duration;

pub use metrics::{counter, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use tracing_subscriber::EnvFilter;

/// Upper bounds of times, in seconds.
const TIMES: [f64; 14] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];
/// Upper bounds of sizes of groups.
const GROUPS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Serves metrics over HTTP at `/metrics` of an address, from now on. Must be called inside a tokio runtime, once in a
/// process.
///
/// # Errors
/// An address that cannot be listened on, in words.
pub fn serve_metrics(listen: SocketAddr) -> Result<(), String> {
    let buckets = |builder: PrometheusBuilder, ending: &str, bounds: &[f64]| {
        builder.set_buckets_for_metric(Matcher::Suffix(ending.to_owned()), bounds)
    };
    let builder = PrometheusBuilder::new().with_http_listener(listen);
    let (recorder, exporter) = buckets(builder, "_seconds", &TIMES)
        .and_then(|builder| buckets(builder, "_records", &GROUPS))
        .and_then(|builder| builder.upkeep_timeout(Duration::from_secs(5)).build())
        .map_err(|e| format!("metrics = {listen}: {e}"))?;
    metrics::set_global_recorder(recorder).map_err(|e| format!("metrics: {e}"))?;
    tokio::spawn(exporter);
    Ok(())
}

/// Starts logging. `filter` is a level (`info`) or a list of `target=level`. A second start changes nothing.
///
/// # Errors
/// A filter that is none, with what is wrong in it.
pub fn start(filter: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|e| format!("log filter {filter:?}: {e}"))?;
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .try_init();
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_wrong_filter_is_named() {
        assert!(super::start("jiyao=loud").unwrap_err().contains("jiyao=loud"));
        assert!(super::start("warn").is_ok());
    }
}
