-- What the other statements of the roll-up say in one word.
-- A quarter is a quarter of an hour, counted from year 1 in UTC. Zones have been whole quarters away from UTC since 1972, so that
-- a quarter lies in one local day: days are found once per quarter, not once per event, which is seven times as fast. A moment is an instant
-- and what comes first at the same instant, in one number.
create or replace temp macro quarter_of(instant) as (epoch_us(instant) + 62135596800000000) // 900000000;

create or replace temp macro local_day(quarter, zone) as
    timezone(zone, make_timestamptz(quarter * 900000000 - 62135596800000000))::date;

create or replace temp macro moment_of(instant, step) as (epoch_us(instant) + 62135596800000000) * 8 + step;

create or replace temp macro instant_of(moment) as make_timestamptz(moment // 8 - 62135596800000000);

create or replace temp macro percentage(part, whole) as 100.0 * part / nullif(whole, 0);

create or replace temp macro mean(total, items) as total / nullif(items, 0);

create or replace temp macro key_id(key) as md5(key)::uuid;
