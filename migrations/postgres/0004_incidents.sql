-- Declared faults: whom they concern, who was told, what was registered on paper meanwhile.
create table incidents (
    id bigint primary key,
    state text not null, -- open, closed
    scope text not null, -- sites and communities, sorted; empty for the whole city
    everywhere bigint not null,
    words text not null, -- sealed: reason, and what residents are told beside the approved words
    opened_by text not null,
    opened_at bigint not null,
    closed_by text not null default '',
    closed_at bigint
);
create unique index incidents_open on incidents (scope) where state = 'open';
create table incident_scopes (
    incident_id bigint not null,
    site_id bigint not null, -- 0: it is a community
    community_id bigint not null, -- 0: it is a site
    primary key (incident_id, site_id, community_id)
);
create table incident_log (
    id bigint primary key,
    incident_id bigint not null,
    at bigint not null,
    actor text not null,
    kind text not null, -- opened, note, closed
    words text not null -- sealed
);
create index incident_log_incident on incident_log (incident_id);

-- The windows that an incident fell into, as they stood then: they may move afterwards.
create table incident_windows (
    incident_id bigint not null,
    round_id bigint not null,
    unit_id bigint not null,
    site_id bigint not null,
    starts_at bigint not null,
    ends_at bigint not null,
    noted_at bigint not null,
    told_at bigint, -- when its people were told of the incident
    primary key (incident_id, round_id, unit_id)
);
create index incident_windows_untold on incident_windows (incident_id, starts_at, unit_id) where told_at is null;
create index windows_starts on windows (starts_at);

-- Who was told of an incident, and when they were told that it is over or had heard their new time.
create table incident_notices (
    incident_id bigint not null,
    contact_id bigint not null,
    told_at bigint not null,
    over_at bigint,
    primary key (incident_id, contact_id)
);
create index incident_notices_standing on incident_notices (incident_id, contact_id) where over_at is null;
create index deliveries_corrections on deliveries (contact_id) where kind = 'correction';

-- Registrations on paper on their way into the registration system.
create table manual_registrations (
    id bigint primary key,
    incident_id bigint not null,
    resident_id bigint not null,
    round_id bigint not null,
    unit_id bigint not null,
    person text not null, -- sealed: name, phone, ref, when it was done
    state text not null, -- waiting, sent, registered, refused
    reason text not null default '',
    attempts bigint not null default 0,
    next_at bigint not null,
    created_at bigint not null,
    changed_at bigint not null,
    unique (incident_id, resident_id)
);
create index manual_registrations_waiting on manual_registrations (next_at, id) where state = 'waiting';
create index manual_registrations_sent on manual_registrations (id) where state = 'sent';

-- The registration system's load, the worst of each minute.
create table load_minutes (
    minute bigint primary key,
    utilisation double precision not null,
    queue_seconds double precision not null,
    error_rate double precision not null,
    completed_per_second double precision not null,
    mode text not null -- of the pacing law, the last of the minute
);
insert into ids (name, next) values ('incidents', 1), ('incident_log', 1), ('manual_registrations', 1);
