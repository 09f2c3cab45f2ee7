//! Tests of the whole system, through its real binaries; they lie in `tests/it`. `clients` holds
//! those that software drives which we did not write.
