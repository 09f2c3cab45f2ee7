//! Tests of the whole system, through its real binaries.
