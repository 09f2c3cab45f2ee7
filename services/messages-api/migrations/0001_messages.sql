-- One row for each user who ever had a notice. Whoever changes a user's notices updates this row
-- first: it is the lock that keeps the count true and gives sequence numbers in the order of commits.
CREATE TABLE counters (
    owner TEXT PRIMARY KEY,
    unread BIGINT NOT NULL,
    -- The sequence number of the newest notice.
    newest BIGINT NOT NULL,
    -- Grows with every change, so that a reader can tell which of two counts is the later one.
    version BIGINT NOT NULL
);

-- unread is 1 or 0 and says the same as read_at, in a form that an index can lead with.
CREATE TABLE messages (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    kind TEXT NOT NULL,
    level TEXT NOT NULL,
    text TEXT NOT NULL,
    -- A file ends once, and makes one notice when it does.
    file_id TEXT UNIQUE,
    created_at BIGINT NOT NULL,
    read_at BIGINT,
    unread BIGINT NOT NULL,
    CHECK ((unread = 1 AND read_at IS NULL) OR (unread = 0 AND read_at IS NOT NULL))
);
CREATE UNIQUE INDEX messages_by_owner ON messages (owner, sequence);
-- A page of one user's unread, or read, notices is one short range of this index.
CREATE INDEX messages_by_state ON messages (owner, unread, sequence);
