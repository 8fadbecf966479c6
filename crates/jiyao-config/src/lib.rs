//! jiyao-config
