-- Instants are Unix milliseconds; states are words; "sealed" columns are encrypted, "_hash" columns are keyed hashes.
create table meta (
    name text primary key,
    value text not null
);

-- The next free id of each table.
create table ids (
    name text primary key,
    next bigint not null
);
insert into ids (name, next) values
    ('communities', 1), ('buildings', 1), ('units', 1), ('sites', 1), ('contacts', 1), ('residents', 1),
    ('imports', 1), ('refused_rows', 1), ('rounds', 1), ('windows', 1), ('deliveries', 1), ('receipts', 1), ('inbound', 1);

-- Places: public.
create table communities (
    id bigint primary key,
    district text not null,
    street text not null,
    name text not null,
    unique (district, street, name)
);
create table buildings (
    id bigint primary key,
    community_id bigint not null,
    name text not null,
    lat double precision,
    lon double precision,
    unique (community_id, name)
);
create table units (
    id bigint primary key,
    building_id bigint not null,
    name text not null,
    code text not null unique,
    unique (building_id, name)
);
create table sites (
    id bigint primary key,
    name text not null unique,
    district text not null,
    street text not null,
    community text not null,
    address text not null,
    desks bigint not null,
    green_desks bigint not null,
    samples_per_desk_hour bigint not null,
    opens_minute bigint not null,
    closes_minute bigint not null,
    lat double precision,
    lon double precision
);

-- People. A household is the residents of one unit behind one door.
create table contacts (
    id bigint primary key,
    channel text not null,
    address_hash text not null unique,
    address text not null, -- sealed
    language text,
    language_chosen bigint not null default 0, -- 1: the person chose it, so the roster no longer sets it
    state text not null, -- active, stopped, unreachable
    state_reason text not null default '',
    unit_id bigint, -- the home a chat chose
    changed_at bigint not null
);
create index contacts_unit on contacts (unit_id) where unit_id is not null;
create index contacts_unreachable on contacts (changed_at) where state = 'unreachable';
create table residents (
    id bigint primary key,
    key_hash text not null unique,
    unit_id bigint not null,
    household_hash text not null,
    personal text not null, -- sealed: name, door, tags, ref, language
    phone_contact_id bigint,
    chat_contact_id bigint,
    seen_import bigint not null,
    seen_line bigint not null,
    moved_out_at bigint
);
create index residents_unit on residents (unit_id);
create index residents_phone on residents (phone_contact_id) where phone_contact_id is not null;
create index residents_chat on residents (chat_contact_id) where chat_contact_id is not null;

create table imports (
    id bigint primary key,
    file text not null,
    started_at bigint not null,
    ended_at bigint,
    summary text not null default ''
);
create table refused_rows (
    id bigint primary key,
    import_id bigint not null,
    file text not null,
    source_hash text not null, -- where the file lay
    fingerprint text not null unique,
    line bigint not null,
    kind text not null, -- refused, repeat
    column_name text not null,
    reason text not null,
    place text not null, -- sealed: a shifted row may hold a name where a place should be
    cells text not null -- sealed
);

-- Rounds.
create table rounds (
    id bigint primary key,
    state text not null,
    plan_revision bigint not null,
    spec text not null, -- JSON: what was asked of the planner
    summary text not null, -- JSON: what it answered
    over_capacity bigint not null,
    pace_per_minute double precision,
    next_release_at bigint,
    last_window_ends_at bigint not null,
    created_at bigint not null,
    released_at bigint,
    changed_at bigint not null
);
create table windows (
    id bigint primary key,
    round_id bigint not null,
    unit_id bigint not null,
    site_id bigint not null,
    starts_at bigint not null,
    ends_at bigint not null,
    people bigint not null,
    over_capacity bigint not null,
    revision bigint not null,
    released_at bigint,
    reminded_at bigint,
    unique (round_id, unit_id)
);
create index windows_unit on windows (unit_id);
create index windows_unreleased on windows (round_id, starts_at, id) where released_at is null;
create index windows_unreminded on windows (round_id, starts_at, id) where reminded_at is null;

-- The outbox.
create table deliveries (
    id bigint primary key,
    key text not null unique,
    round_id bigint,
    contact_id bigint not null,
    channel text not null,
    kind text not null,
    priority bigint not null,
    state text not null,
    attempts bigint not null default 0,
    repeats bigint not null default 0, -- times it may have been sent again
    next_at bigint not null,
    expires_at bigint not null,
    lease_until bigint,
    parts bigint not null default 0,
    created_at bigint not null,
    changed_at bigint not null,
    history text not null -- one line for each change: instant, state, reason
);
create index deliveries_queued on deliveries (channel, priority, next_at, id) where state = 'queued';
create index deliveries_expiring on deliveries (expires_at) where state in ('held', 'queued');
create index deliveries_sending on deliveries (lease_until) where state = 'sending';
create index deliveries_open on deliveries (round_id) where state in ('held', 'queued', 'sending', 'accepted');
create index deliveries_accepted on deliveries (changed_at) where state = 'accepted';
create table bodies (
    delivery_id bigint primary key,
    body text not null -- sealed
);
create table parts (
    carrier text not null,
    ref text not null,
    delivery_id bigint not null,
    fate text not null, -- accepted, delivered, failed
    primary key (carrier, ref)
);
create index parts_delivery on parts (delivery_id);
create table receipts (
    id bigint primary key,
    carrier text not null,
    ref text not null,
    fate text not null,
    raw text not null,
    received_at bigint not null
);
create table channel_pauses (
    channel text primary key,
    until bigint not null,
    reason text not null
);

-- Conversation.
create table inbound (
    id bigint primary key,
    channel text not null,
    external_id text not null,
    contact_id bigint not null,
    content text not null, -- sealed
    received_at bigint not null,
    answered_at bigint,
    unique (channel, external_id)
);
create index inbound_waiting on inbound (id) where answered_at is null;
create index inbound_contact on inbound (contact_id, received_at);
create table dialogues (
    contact_id bigint primary key,
    state text not null, -- sealed
    changed_at bigint not null
);

-- The service itself.
create table leases (
    name text primary key,
    owner text not null,
    until bigint not null
);
create table job_runs (
    job text not null,
    due text not null, -- local date and time, so that a clock set back does not run it again
    started_at bigint not null,
    ended_at bigint,
    outcome text not null default '',
    primary key (job, due)
);
