-- Files whose owner deleted them: whatever becomes of their jobs makes no notice. Kept for as long as a
-- result may still come.
CREATE TABLE deleted_files (
    file_id TEXT PRIMARY KEY,
    deleted_at BIGINT NOT NULL
);
CREATE INDEX deleted_files_by_age ON deleted_files (deleted_at);
