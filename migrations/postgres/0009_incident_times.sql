-- Times other than a unit's window that an incident fell into, as they stood then: of its green lane, or of a resident
-- who had asked for another time.
create table incident_times (
    incident_id bigint not null,
    round_id bigint not null,
    unit_id bigint not null,
    resident_id bigint not null, -- 0: all of the unit who may use the green lane
    site_id bigint not null,
    starts_at bigint not null,
    ends_at bigint not null,
    noted_at bigint not null,
    told_at bigint, -- when they were told of the incident
    primary key (incident_id, round_id, unit_id, resident_id)
);
create index incident_times_untold on incident_times (incident_id, starts_at, unit_id) where told_at is null;
create index windows_green_starts on windows (green_starts_at) where green_starts_at is not null;
create index own_windows_starts on own_windows (starts_at);

-- 1: what had told them their time was withdrawn before it left, so they are to hear it when the incident is over.
alter table incident_notices add column withdrawn bigint not null default 0;
