//! jiyao-distribution
