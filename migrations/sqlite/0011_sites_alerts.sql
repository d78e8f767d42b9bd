-- What workers see at their sites, what they propose, and what those on duty are told of unasked.
create table site_reports (
    id bigint primary key,
    key text not null unique, -- worker, site and minute: a tap that corrects an earlier one makes no second report
    site_id bigint not null,
    worker_id bigint not null,
    at bigint not null,
    queue text not null, -- none, short, long, very_long
    apart bigint not null, -- 1: those in the line keep their distance
    desks bigint not null, -- open, the green ones included
    staff_short bigint not null,
    supplies text not null, -- enough, low, out
    trouble text not null default '', -- registration, weather, other; empty for none
    photo text not null default '' -- sealed: the channel's own name of a photo
);
create index site_reports_site on site_reports (site_id, at);

-- What a worker proposes and those above decide.
create table proposals (
    id bigint primary key,
    kind text not null, -- desks, incident
    scope text not null, -- city, site:ID, community:ID
    area text not null, -- by name, as workers' scopes
    reason text not null, -- of an incident: registration, closed, weather, other
    desks_before bigint not null,
    desks_after bigint not null,
    report_id bigint,
    proposed_by text not null,
    at bigint not null,
    state text not null, -- waiting, confirmed, left, overtaken
    decided_by text not null default '',
    decided_origin text not null default '', -- the message that decided it: a repeat of it is no second one
    decided_at bigint
);
create unique index proposals_waiting on proposals (kind, scope) where state = 'waiting';

-- A row for each time that something went wrong: from when, who saw to it, until when.
create table alerts (
    id bigint primary key,
    key text not null, -- what it is about, such as channel:carrier
    kind text not null,
    area text not null, -- by name, as workers' scopes
    details text not null, -- JSON, without personal data
    level text not null, -- up to which role it is told
    opened_at bigint not null,
    quiet_since bigint, -- since when it looks as if it were over
    acked_by text not null default '',
    acked_at bigint,
    over_at bigint,
    over_told bigint not null default 0
);
create unique index alerts_open on alerts (key) where over_at is null;
create index alerts_ending on alerts (id) where over_at is not null and over_told = 0;
create index deliveries_live_name on deliveries (live) where live is not null;

insert into ids (name, next) values ('site_reports', 1), ('proposals', 1), ('alerts', 1);
