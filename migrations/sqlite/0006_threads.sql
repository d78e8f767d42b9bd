-- Talks between residents and the workers of their community, once the bot has handed over.
create table threads (
    id bigint primary key,
    contact_id bigint not null,
    unit_id bigint, -- where the resident lives, if that is known
    reason text not null, -- danger, asked, need, pass, visit, report
    urgent bigint not null,
    state text not null, -- open, closed
    opened_at bigint not null,
    changed_at bigint not null, -- the last message
    answered_at bigint, -- the last message of a worker
    closed_at bigint,
    closed_by text not null default '' -- resident, owner, weir, worker:ID
);
create unique index threads_open on threads (contact_id) where state = 'open';
create index threads_changed on threads (state, changed_at);
create table thread_messages (
    id bigint primary key,
    thread_id bigint not null,
    at bigint not null,
    author text not null, -- resident, owner, weir, worker:ID
    words text not null -- sealed; empty once erased
);
create index thread_messages_thread on thread_messages (thread_id);
insert into ids (name, next) values ('threads', 1), ('thread_messages', 1);
