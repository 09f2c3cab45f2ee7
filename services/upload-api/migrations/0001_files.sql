-- A deleted file stays as a tombstone until its objects are gone and late results cannot come any more.
CREATE TABLE files (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    filename TEXT NOT NULL,
    content_type TEXT NOT NULL,
    size BIGINT NOT NULL,
    profile TEXT NOT NULL,
    state TEXT NOT NULL,
    progress BIGINT NOT NULL,
    error_code BIGINT,
    error_message TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    -- When its transcode request was last sent, and when it is sent again if nothing has moved.
    driven_at BIGINT NOT NULL,
    drive_at BIGINT NOT NULL,
    deleted_at BIGINT,
    -- When its objects are to be removed (again); NULL when nothing is left to do.
    purge_at BIGINT,
    purge_attempts BIGINT NOT NULL
);
CREATE INDEX files_by_owner ON files (owner, id);
CREATE INDEX files_to_drive ON files (drive_at) WHERE state IN ('queued', 'transcoding') AND deleted_at IS NULL;
CREATE INDEX files_to_purge ON files (purge_at) WHERE purge_at IS NOT NULL;
CREATE INDEX files_deleted ON files (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE outputs (
    file_id TEXT NOT NULL REFERENCES files (id),
    name TEXT NOT NULL,
    position BIGINT NOT NULL,
    key TEXT NOT NULL,
    content_type TEXT NOT NULL,
    state TEXT NOT NULL,
    size BIGINT,
    duration_ms BIGINT,
    error_code BIGINT,
    error_message TEXT,
    PRIMARY KEY (file_id, name)
);

-- A body that is arriving: written before its first byte reaches S3, gone when its file is committed.
-- What a dead process leaves behind is found by it. The id is the file's; the key follows from it.
CREATE TABLE uploads (
    id TEXT PRIMARY KEY,
    s3_upload_id TEXT,
    started_at BIGINT NOT NULL,
    touched_at BIGINT NOT NULL,
    -- 1: being removed; it can no longer become a file.
    abandoned BIGINT NOT NULL
);
CREATE INDEX uploads_by_touch ON uploads (touched_at);

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
