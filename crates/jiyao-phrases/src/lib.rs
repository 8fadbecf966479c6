//! jiyao-phrases
