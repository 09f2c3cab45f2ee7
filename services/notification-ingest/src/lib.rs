//! Accepts transcoder events over HTTP and SQS, refuses what is not genuine, and fans one result out.
