-- When the owner deleted the file: no job is made of it any more.
ALTER TABLE jobs ADD COLUMN deleted_at BIGINT;
