//! Logs, to standard error. English, one line an event, no text of minutes and no names of persons in them.

use tracing_subscriber::EnvFilter;

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
