//! jiyao-deliveries
