//! A connection pool on SQLite or PostgreSQL behind one SQL, with migrations.
