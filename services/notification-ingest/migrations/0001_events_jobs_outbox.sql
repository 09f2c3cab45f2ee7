-- Every genuine event, as it came. The sender's own id tells a repeated one.
CREATE TABLE events (
    message_id TEXT PRIMARY KEY,
    job_id TEXT NOT NULL,
    state TEXT NOT NULL,
    outcome TEXT NOT NULL,
    source TEXT NOT NULL,
    body TEXT NOT NULL,
    received_at BIGINT NOT NULL
);
CREATE INDEX events_by_job ON events (job_id);
CREATE INDEX events_by_time ON events (received_at);

-- How far each of our jobs is. Only an event that takes it further is published.
CREATE TABLE jobs (
    job_id TEXT PRIMARY KEY,
    stage BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
CREATE INDEX jobs_by_time ON jobs (changed_at);

CREATE TABLE outbox (
    id TEXT PRIMARY KEY,
    target TEXT NOT NULL,
    subject TEXT,
    body TEXT NOT NULL,
    attributes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    due_at BIGINT NOT NULL
);
CREATE INDEX outbox_due ON outbox (due_at);
