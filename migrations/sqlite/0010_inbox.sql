-- Who of the workers has taken a talk on, and whether it was passed on.
alter table threads add column claimed_by bigint; -- the worker's id
alter table threads add column held_at bigint not null default 0; -- when it was last taken on or passed on
alter table threads add column raised bigint not null default 0; -- 1: passed on to those above
