//! jiyao-serve
