-- Sites with breaks and several communities; green lanes; windows that move; times of a household's own.
alter table sites add column breaks text not null default ''; -- 12:00-13:00;17:30-18:00
alter table sites add column serves text not null default ''; -- communities served beside its own, split by ;

alter table rounds add column moves bigint not null default 0; -- counts the times that windows of it moved

alter table windows add column moves bigint not null default 0; -- times moved after it was told
alter table windows add column corrects bigint not null default 0; -- 1: those who were told are to hear its new time
alter table windows add column corrected_at bigint;
alter table windows add column green_site_id bigint; -- where and when those for the green lane may come instead
alter table windows add column green_starts_at bigint;
alter table windows add column green_ends_at bigint;
alter table windows add column green_people bigint;
alter table windows add column green_reminded_at bigint;
create index windows_green_unreminded on windows (round_id, green_starts_at, id)
    where green_reminded_at is null and green_starts_at is not null;
create index windows_correcting on windows (round_id, starts_at, id) where corrects = 1;
create index windows_site on windows (site_id, starts_at);

-- 1: what it says is no longer so. A dispatcher held it at that moment; it does not go back into the queue.
alter table deliveries add column superseded bigint not null default 0;

-- The time that a household asked for, in place of its unit's: a row for each of its residents.
create table own_windows (
    id bigint primary key,
    round_id bigint not null,
    resident_id bigint not null,
    unit_id bigint not null,
    site_id bigint not null,
    starts_at bigint not null,
    ends_at bigint not null,
    moves bigint not null default 0,
    reminded_at bigint,
    changed_at bigint not null,
    unique (round_id, resident_id)
);
create index own_windows_unit on own_windows (unit_id);
create index own_windows_site on own_windows (site_id, starts_at);
create index own_windows_unreminded on own_windows (round_id, starts_at, id) where reminded_at is null;
insert into ids (name, next) values ('own_windows', 1);
