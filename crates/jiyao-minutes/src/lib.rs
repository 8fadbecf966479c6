//! jiyao-minutes
