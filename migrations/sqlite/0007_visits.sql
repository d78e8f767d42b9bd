-- Visits at home: who asked, how far each has come, who makes them.
create table visits (
    id bigint primary key,
    key text not null unique, -- names what asked for it: a repeat makes no second one
    state text not null, -- asked, accepted, scheduled, on_the_way, done, declined, cancelled, missed
    revision bigint not null,
    unit_id bigint not null,
    asker_id bigint, -- the contact; none where a worker wrote it down, or once erased
    proven bigint not null, -- 1: who asked stands for the household
    urgent bigint not null,
    people bigint not null,
    for_whom text not null, -- myself, family, neighbour
    wish_from bigint,
    wish_to bigint,
    team_id bigint,
    planned_at bigint, -- when the team is expected
    promised_from bigint,
    promised_to bigint,
    moves bigint not null default 0, -- times a promised time was moved
    declined text not null default '', -- why
    lapsed bigint not null default 0, -- 1: the team did not come in the promised time
    raised text not null default '', -- coordinator, operator: it waited too long
    waits_since bigint not null, -- since when it has waited for its next step
    personal text not null, -- sealed: door, name, reason, access notes, phone, visitor, door code; empty once erased
    asked_at bigint not null,
    changed_at bigint not null
);
create index visits_open on visits (state, waits_since)
    where state in ('asked', 'accepted', 'scheduled', 'on_the_way', 'missed');
create index visits_unit on visits (unit_id);
create index visits_team on visits (team_id, planned_at) where team_id is not null;
create index visits_planned on visits (planned_at) where planned_at is not null;
create index visits_changed on visits (changed_at) where personal <> '';

-- Who is told about a visit. Whoever knows the code can tell the visitor from a stranger.
create table visit_contacts (
    visit_id bigint not null,
    contact_id bigint not null,
    code bigint not null,
    primary key (visit_id, contact_id)
);
create index visit_contacts_contact on visit_contacts (contact_id);

-- Each change: who did what, when, from which state to which.
create table visit_log (
    id bigint primary key,
    visit_id bigint not null,
    key text unique,
    at bigint not null,
    role text not null, -- resident, worker, coordinator, clock
    who text not null, -- an id: contact:12, worker:3, owner, weir
    act text not null,
    from_state text not null,
    to_state text not null,
    revision bigint not null,
    words text not null -- sealed: the staff's note; empty if there is none
);
create index visit_log_visit on visit_log (visit_id, id);
create index visit_log_raised on visit_log (id) where act = 'raise';

create table teams (
    id bigint primary key,
    name text not null unique,
    areas text not null, -- district, district/street or district/street/community, split by ;
    opens_minute bigint not null,
    closes_minute bigint not null,
    breaks text not null, -- 12:00-13:00;17:30-18:00
    visits_per_hour bigint not null,
    members text not null, -- sealed
    removed bigint not null default 0,
    changed_at bigint not null
);
insert into ids (name, next) values ('visits', 1), ('visit_log', 1), ('teams', 1);
