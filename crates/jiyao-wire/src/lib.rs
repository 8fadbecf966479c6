//! jiyao-wire
