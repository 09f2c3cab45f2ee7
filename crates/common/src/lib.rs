//! What the services exchange: ids, messages, states and profiles. No I/O.
