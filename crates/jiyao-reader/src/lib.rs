//! jiyao-reader
