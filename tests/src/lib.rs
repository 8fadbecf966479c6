//! jiyao-tests
