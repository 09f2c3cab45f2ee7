-- When the owner deleted the file: no job is made of it any more.
ALTER TABLE jobs ADD COLUMN deleted_at BIGINT;
-- When a job was first asked for: from then on there may be one whose id is not known yet.
ALTER TABLE jobs ADD COLUMN asked_at BIGINT;
