-- JSON: the order of the pacing law that windows are to move, until it has been carried out; a process that dies in
-- between leaves it to the next.
alter table pacing add column ordered text not null default '';
