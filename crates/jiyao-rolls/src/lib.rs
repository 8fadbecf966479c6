//! jiyao-rolls
