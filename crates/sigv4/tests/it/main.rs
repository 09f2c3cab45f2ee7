//! The check against requests that AWS itself gives as examples, and against what was tampered with.

mod refused;
mod request;
mod vectors;
