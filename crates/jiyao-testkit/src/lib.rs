//! jiyao-testkit
