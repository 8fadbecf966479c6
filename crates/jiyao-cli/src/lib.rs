//! jiyao-cli
