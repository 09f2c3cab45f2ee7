CREATE TABLE things (
    id TEXT PRIMARY KEY,
    count BIGINT NOT NULL,
    note TEXT
);
