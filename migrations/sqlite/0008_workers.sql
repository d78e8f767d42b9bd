-- Who works with Weir, what each did, and what they have to say to residents.
create table workers (
    id bigint primary key,
    name text not null, -- sealed
    name_hash text not null, -- keyed, so that no two are called the same
    role text not null, -- viewer, worker, coordinator, operator
    scope text not null, -- areas by name, split by ;
    contact_id bigint, -- their chat, once an invitation was accepted
    language text,
    on_duty bigint not null default 0,
    added_by text not null, -- owner, worker:ID
    added_at bigint not null,
    changed_at bigint not null,
    removed_at bigint
);
create unique index workers_name on workers (name_hash) where removed_at is null;
create unique index workers_contact on workers (contact_id) where contact_id is not null and removed_at is null;

-- One-time links: the token hashed, the phone that must be proven sealed and hashed.
create table invitations (
    id bigint primary key,
    worker_id bigint not null,
    token_hash text not null unique,
    phone text not null, -- sealed; empty once it is of no more use
    phone_hash text not null, -- keyed
    invited_by text not null,
    invited_at bigint not null,
    expires_at bigint not null,
    contact_id bigint, -- the chat that opened it and is to prove its phone
    accepted_at bigint,
    undone_at bigint
);
create index invitations_contact on invitations (contact_id) where contact_id is not null;
create index invitations_worker on invitations (worker_id);

-- What a worker is in the middle of, in their chat.
create table desks (
    contact_id bigint primary key,
    state text not null, -- sealed
    changed_at bigint not null
);

-- Who did what to whom, by ids. Rows are only ever added; each mac covers the row and the mac before it.
create table audit (
    id bigint primary key,
    at bigint not null,
    actor text not null, -- owner, weir, worker:ID
    what text not null,
    whom text not null, -- ids, such as round:3
    details text not null,
    mac text not null
);
create index audit_at on audit (at);
-- One row: the chain's own key, which outlives rotations of the data key, and its end.
create table audit_chain (
    id bigint primary key, -- 1
    key text not null, -- sealed
    last_id bigint not null,
    last_mac text not null,
    seal text not null -- a mac over the two before it
);

create table broadcasts (
    id bigint primary key,
    origin text not null unique, -- what made it, so that the same thing makes it once
    state text not null, -- draft, waiting, active, sending, paused, done, cancelled, skipped
    author text not null,
    audience text not null, -- JSON: places, lane, tags, language
    words text not null, -- sealed: the text in each language
    calm bigint not null, -- 1: it makes nobody register, so no gate holds it
    greatest bigint not null, -- people at most, as it was confirmed
    counts text not null, -- JSON: as counted when it was confirmed, or before it began
    cron text not null default '', -- when it repeats; each run is a row of its own
    missed text not null default 'skip', -- run, skip
    series_id bigint, -- the repeating one that this is a run of
    due text not null default '', -- local date and time of this run, so that a clock set back does not run it again
    looked_at bigint, -- until when the timetable of a repeating one was looked at
    approved_by text not null default '',
    approved_at bigint,
    cursor_unit bigint not null default 0, -- units up to this one are written into the outbox
    written_all bigint not null default 0,
    expires_hours bigint not null,
    created_at bigint not null,
    begun_at bigint,
    ended_at bigint,
    reported_at bigint, -- when its author heard how it ended
    changed_at bigint not null
);
create unique index broadcasts_run on broadcasts (series_id, due) where series_id is not null;
create index broadcasts_open on broadcasts (state) where state in ('active', 'sending', 'paused');

alter table deliveries add column broadcast_id bigint;
-- The message in a chat that later ones of the same name are edited into, such as a broadcast's progress.
alter table deliveries add column live text;
create index deliveries_live on deliveries (contact_id, live) where live is not null;
create index deliveries_broadcast on deliveries (broadcast_id, state) where broadcast_id is not null;

insert into ids (name, next) values ('workers', 1), ('invitations', 1), ('audit', 1), ('broadcasts', 1);
