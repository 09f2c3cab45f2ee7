//! Each user own unread notices: counted, paged, pushed.
