-- Rules about passes, and approved texts in other words: each with who, when and until when.
create table policies (
    id text primary key,
    purposes text not null, -- gate, public_transport, hospital; split by ;
    hours bigint not null,
    counted_from text, -- sampled_at, reported_at; null where the rule does not say
    needs text not null, -- entry_card, e_pass: one is enough; split by ;
    from_at bigint not null,
    to_at bigint, -- it holds up to and without this instant
    source text not null,
    added_by text not null,
    added_at bigint not null,
    ended_by text not null default '',
    ended_at bigint
);
-- The 48-hour rule of 3 September 2022. It does not say whether the hours count from the sample or from the result;
-- hospitals ask for the test alone.
insert into policies (id, purposes, hours, counted_from, needs, from_at, to_at, source, added_by, added_at) values
    ('48h-2022-09-03', 'gate;public_transport', 48, null, 'entry_card;e_pass', 1662134400000, null,
     '2022-09-03 起的临时措施: 48小时内核酸阴性证明, 配合小区出入登记卡或电子通行证', 'weir', 1662134400000),
    ('48h-hospital-2022-09-03', 'hospital', 48, null, '', 1662134400000, null,
     '2022-09-03 起的临时措施: 持48小时内核酸阴性证明的患者, 医疗机构正常接诊', 'weir', 1662134400000);

create table set_texts (
    id bigint primary key,
    key text not null,
    language text not null,
    short bigint not null, -- 1: the form for text messages
    words text not null, -- with {placeholders}
    set_by text not null,
    set_at bigint not null,
    until_at bigint not null,
    ended_by text not null default '',
    ended_at bigint
);
insert into ids (name, next) values ('set_texts', 1);
