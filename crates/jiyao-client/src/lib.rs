//! jiyao-client
