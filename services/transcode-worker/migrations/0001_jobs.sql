-- One row for each file whose request was seen. `job_id` is null until the transcoder has named the job.
CREATE TABLE jobs (
    file_id TEXT PRIMARY KEY,
    job_id TEXT,
    created_at BIGINT NOT NULL,
    submitted_at BIGINT
);

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
