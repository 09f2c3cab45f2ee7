-- Segments of running jobs that another process may encode (ADR 8). A row goes when its objects have gone.
CREATE TABLE offers (
    id TEXT PRIMARY KEY,
    job_id TEXT NOT NULL,
    -- The claim of the job under which it was offered: jobs.lease_owner at that time.
    run TEXT NOT NULL,
    -- What a helper has to understand, and to encode with.
    form TEXT NOT NULL,
    document TEXT NOT NULL,
    -- Offered, Claimed, Ready (the samples are there), Done, Failed or Ended.
    state TEXT NOT NULL,
    -- Who encodes it and until when, unless it says again that it does.
    helper TEXT,
    lease_until BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX offers_by_run ON offers (run, state);
CREATE INDEX offers_by_state ON offers (state, form, id);
