//! What a service tells those who keep it. Logs, to standard error: English, one line an event. Metrics, for Prometheus.
//! Traces, to an OpenTelemetry collector: a span for each call. No text of minutes and no names of persons in any.
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
//! | `jiyao_connections_held_total` | connections that were read slowly, as they asked for more than they took |
//! | `jiyao_last_backup_seconds` | when the last backup ended, Unix time; 0: never |

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

pub use metrics::{Counter, Histogram, counter, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

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

/// Target of the spans of calls: they go to the collector and not into the log.
const CALLS: &str = "jiyao::calls";
/// Header that says which trace a call belongs to (W3C Trace Context).
pub const TRACEPARENT: &str = "traceparent";

/// Spans on their way to a collector. Ended, it has sent what it can.
#[must_use = "the last spans are sent when it is ended"]
#[derive(Debug, Default)]
pub struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// Sends the last spans; waits some seconds at most for a collector that does not answer.
    pub async fn end(self) {
        if let Some(provider) = self.0 {
            // It blocks, and the runtime has to go on sending meanwhile.
            let ended = tokio::task::spawn_blocking(move || provider.shutdown()).await;
            if let Ok(Err(e)) = ended {
                tracing::warn!(cause = %e, "the last traces were not sent");
            }
        }
    }
}

/// Starts logging. `filter` is a level (`info`) or a list of `target=level`. With `traces`, the address of a collector
/// that takes OTLP over gRPC such as `http://127.0.0.1:4317`, it also starts tracing of calls to `service`. Must be
/// called inside a tokio runtime. A second start changes nothing.
///
/// # Errors
/// A filter that is none, with what is wrong in it; an address that is none.
pub fn start(service: &'static str, filter: &str, traces: Option<&str>) -> Result<Traces, String> {
    let filter = parse_filter(filter)?;
    let provider = traces.map(|address| provider(service, address)).transpose()?;
    let spans = provider.as_ref().map(|provider| {
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("jiyao"))
            .with_location(false)
            .with_threads(false)
            .with_filter(filter_fn(|metadata| metadata.target() == CALLS))
    });
    let off = format!("{CALLS}=off").parse().map_err(|e| format!("log filter: {e}"))?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    let lines = lines.with_filter(filter.add_directive(off));
    let _ = tracing_subscriber::registry().with(lines).with(spans).try_init();
    Ok(Traces(provider))
}

/// Checks a filter of log lines, see [`start`].
///
/// # Errors
/// What is wrong with it.
pub fn check_filter(filter: &str) -> Result<(), String> {
    parse_filter(filter).map(drop)
}

fn parse_filter(filter: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(filter).map_err(|e| format!("log = {filter:?}: {e}"))
}

fn provider(service: &'static str, address: &str) -> Result<SdkTracerProvider, String> {
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(address).build();
    let exporter = exporter.map_err(|e| format!("traces = {address}: {e}"))?;
    let resource = Resource::builder().with_service_name(service).build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

/// The span of a call, part of the trace that its `traceparent` names.
#[must_use]
pub fn call_span(method: &str, traceparent: Option<&str>) -> Span {
    let span = tracing::info_span!(
        target: CALLS,
        "call",
        otel.name = method,
        otel.kind = "server",
        rpc.system = "grpc",
        rpc.grpc.status_code = tracing::field::Empty,
    );
    if let (Some(parent), false) = (traceparent, span.is_disabled()) {
        let header = HashMap::from([(TRACEPARENT.to_owned(), parent.to_owned())]);
        // A span without its parent is still a span.
        let _ = span.set_parent(TraceContextPropagator::new().extract(&header));
    }
    span
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_wrong_filter_is_named() {
        assert!(super::start("jiyao", "jiyao=loud", None).unwrap_err().contains("jiyao=loud"));
        assert!(super::start("jiyao", "warn", None).is_ok());
    }
}
