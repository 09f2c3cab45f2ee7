-- Endpoints of users' own. enabled, all_users, slow and deleted are 1 or 0.
CREATE TABLE webhooks (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    -- An operator's, which hears of everybody's files.
    all_users BIGINT NOT NULL,
    url TEXT NOT NULL,
    description TEXT NOT NULL,
    -- The kinds of events that it wants, separated by commas.
    events TEXT NOT NULL,
    secret TEXT NOT NULL,
    -- The secret before, which signs too until then.
    old_secret TEXT,
    old_secret_until BIGINT,
    enabled BIGINT NOT NULL,
    disabled_reason TEXT,
    disabled_at BIGINT,
    -- When the first attempt failed after which none succeeded.
    failing_since BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    -- The earliest due_at of its deliveries; null when none waits or it is switched off.
    due_at BIGINT,
    -- Whose turn it is: one process works on one webhook at a time. Free again at leased_until, come what may.
    lease TEXT,
    leased_until BIGINT NOT NULL,
    -- How it answered last; slow ones take turns among themselves.
    slow BIGINT NOT NULL,
    -- Its deliveries are being removed, and then it is.
    deleted BIGINT NOT NULL
);
CREATE INDEX webhooks_by_owner ON webhooks (owner, id);
CREATE INDEX webhooks_of_all ON webhooks (id) WHERE all_users = 1;
CREATE INDEX webhooks_due ON webhooks (slow, due_at);
CREATE INDEX webhooks_deleted ON webhooks (id) WHERE deleted = 1;

-- How many webhooks a user has: the row is the lock that keeps to the bound.
CREATE TABLE webhook_counts (
    owner TEXT PRIMARY KEY,
    webhooks BIGINT NOT NULL
);

-- One row for each webhook and result.
CREATE TABLE deliveries (
    id TEXT PRIMARY KEY,
    webhook_id TEXT NOT NULL,
    -- What tells one result from another, however often it comes.
    result TEXT NOT NULL,
    event TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL,
    -- Attempts in all, and since it began or was asked for again.
    attempts BIGINT NOT NULL,
    round BIGINT NOT NULL,
    -- When the next attempt is due; null when there is none.
    due_at BIGINT,
    -- No attempt is made after that; null before the first one.
    give_up_at BIGINT,
    last_status BIGINT,
    last_latency_ms BIGINT,
    last_error TEXT,
    last_attempt_at BIGINT,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX deliveries_once ON deliveries (webhook_id, result);
CREATE INDEX deliveries_due ON deliveries (webhook_id, due_at);
CREATE INDEX deliveries_listed ON deliveries (webhook_id, id);
CREATE INDEX deliveries_by_time ON deliveries (created_at);

CREATE TABLE attempts (
    id TEXT PRIMARY KEY,
    delivery_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    latency_ms BIGINT NOT NULL,
    status BIGINT,
    error TEXT,
    response TEXT
);
CREATE INDEX attempts_by_delivery ON attempts (delivery_id, id);
