-- Active, Paused or Deleted. A deleted pipeline is seen by nobody and goes when its last job does.
ALTER TABLE pipelines ADD COLUMN status TEXT NOT NULL DEFAULT 'Active';

-- Who runs the job and until when, unless it says again that it does. A job that nobody runs and that failed for a
-- passing reason has no owner, and a time before which it is not tried again.
ALTER TABLE jobs ADD COLUMN lease_owner TEXT;
ALTER TABLE jobs ADD COLUMN lease_until BIGINT NOT NULL DEFAULT 0;
-- How often the job was begun.
ALTER TABLE jobs ADD COLUMN tries BIGINT NOT NULL DEFAULT 0;
-- How far it is: 0 to 100, and thousandths of real time.
ALTER TABLE jobs ADD COLUMN percent BIGINT;
ALTER TABLE jobs ADD COLUMN speed BIGINT;

CREATE INDEX jobs_by_turn ON jobs (pipeline_id, status, id);
CREATE INDEX jobs_by_lease ON jobs (pipeline_id, status, lease_until);
CREATE INDEX jobs_by_token ON jobs (id) WHERE client_token IS NOT NULL;

-- Custom presets. A deleted one is kept for the jobs that came before.
CREATE TABLE presets (
    id TEXT PRIMARY KEY,
    document TEXT NOT NULL,
    deleted_at BIGINT
);
