-- The API's own form of a pipeline or job is one document; what is searched stands beside it.
CREATE TABLE pipelines (
    id TEXT PRIMARY KEY,
    document TEXT NOT NULL
);

-- A client token names one job of its pipeline: a repeated request finds the job that it made.
CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    pipeline_id TEXT NOT NULL REFERENCES pipelines (id),
    status TEXT NOT NULL,
    client_token TEXT,
    document TEXT NOT NULL,
    -- When the job last moved, or was last asked for: the sweep asks again for those that stand still.
    driven_at BIGINT NOT NULL,
    UNIQUE (pipeline_id, client_token)
);
CREATE INDEX jobs_by_pipeline ON jobs (pipeline_id, id);
CREATE INDEX jobs_by_status ON jobs (status, id);
CREATE INDEX jobs_by_drive ON jobs (status, driven_at);

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
