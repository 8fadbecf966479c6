//! jiyao-records
