//! jiyao-attendance
