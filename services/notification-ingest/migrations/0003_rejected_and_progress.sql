-- How far a job is within its stage, in percent, -1 while nothing was said; and whether a warning was told.
ALTER TABLE jobs ADD COLUMN progress BIGINT NOT NULL DEFAULT -1;
ALTER TABLE jobs ADD COLUMN warned BIGINT NOT NULL DEFAULT 0;

-- What came from where events come from and was none of ours, to be looked at. The newest ones are kept.
CREATE TABLE rejected (
    id TEXT PRIMARY KEY,
    message_id TEXT NOT NULL,
    source TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    body TEXT NOT NULL,
    size BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    UNIQUE (source, message_id)
);
CREATE INDEX rejected_by_time ON rejected (received_at);

-- How many there ever were of each reason.
CREATE TABLE rejected_counts (
    reason TEXT PRIMARY KEY,
    total BIGINT NOT NULL
);
