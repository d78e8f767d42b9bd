-- What the pacing law knows and has decided: one row, so that a restart or another process goes on where it was.
create table pacing (
    id bigint primary key, -- 1
    law text not null default '', -- JSON: the law's state
    sample text not null default '', -- JSON: the last load sample
    sampled_at bigint, -- when it arrived
    mode text not null default '',
    mode_since bigint,
    per_second double precision not null default 0, -- recipients that may be told a second
    starts_per_second double precision not null default 0, -- recipients whose windows may start a second
    safe_per_second double precision not null default 0, -- what holds when nothing is decided any more
    nominal_capacity double precision, -- sessions a second, as far as the feed has told
    reasons text not null default '[]', -- JSON: in words
    decided_at bigint,
    gate_level double precision not null default 0, -- the city's gate: recipients the rate has not caught up with
    gate_at bigint not null default 0,
    by_hand text not null default '', -- held, freed
    by_hand_actor text not null default '',
    by_hand_reason text not null default '',
    by_hand_at bigint
);

-- Each change of mode, each action, each time somebody held or freed the pacing.
create table pacing_log (
    id bigint primary key,
    at bigint not null,
    kind text not null, -- mode, action, by_hand
    what text not null,
    reason text not null,
    actor text not null
);
create index pacing_log_at on pacing_log (at);
insert into ids (name, next) values ('pacing_log', 1);

-- What windows alone do not tell of starts to come: of those whose window moved after they were told, some still come
-- at its old time (more than none), and as many fewer at the new one (less than none). Counts, by start.
create table pacing_moved (
    starts_at bigint primary key,
    sms double precision not null,
    chat double precision not null
);

-- Whom a told window's notice reached, by channel, and when these people were given the link: with the notice, or
-- by the second of two steps.
alter table windows add column told_sms bigint not null default 0;
alter table windows add column told_chat bigint not null default 0;
alter table windows add column called_at bigint;
update windows set called_at = released_at;
create index windows_uncalled on windows (round_id, starts_at, id) where called_at is null;
create index windows_called on windows (called_at) where called_at is not null;
create index windows_starting on windows (starts_at) where called_at is not null;
-- What a pause holds is looked for at every step.
create index deliveries_held on deliveries (round_id) where state = 'held';
