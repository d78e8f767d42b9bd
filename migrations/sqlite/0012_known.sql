-- A phone of several units hears of all of them at once: those whose own turn has not come are known from then on.
alter table windows add column known_at bigint;
update windows set known_at = (select r.released_at from rounds r where r.id = windows.round_id)
where released_at is null and exists (
    select 1 from rounds r join residents p on p.unit_id = windows.unit_id and p.moved_out_at is null
    join deliveries d on d.key in (
        'window:' || cast(r.id as text) || ':' || cast(r.plan_revision as text) || ':' || cast(p.phone_contact_id as text),
        'window:' || cast(r.id as text) || ':' || cast(r.plan_revision as text) || ':' || cast(p.chat_contact_id as text))
    where r.id = windows.round_id and r.state in ('releasing', 'paused'));
