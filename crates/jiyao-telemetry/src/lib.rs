//! jiyao-telemetry
