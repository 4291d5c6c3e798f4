-- Adds the batch's good events to the lake: those not refused, once each, and not there already.
-- :tenant_id  whose events they are
-- :refused    positions of the events that were refused
insert into analytics_events (id, tenant_id, user_id, event_type, event_data, created_at)
with refused as materialized (
    select unnest($refused::bigint[]) as position
),
good as materialized (
    select position, id::uuid as id, created_at
    from batch
    where position not in (select position from refused)
),
-- Numbering the rows of every id would cost more than all the rest; hardly any id comes twice.
repeated as materialized (
    select position from good
    where id in (select id from good group by id having count(*) > 1)
    qualify row_number() over (partition by id order by position) > 1
),
known as (
    select id from analytics_events
    where
        created_at >= (select min(created_at) - interval 1 day from good)
        and created_at <= (select max(created_at) + interval 1 day from good)
)
-- The whole events are read from the batch once more: keeping them here would double the memory.
select id::uuid, $tenant_id, user_id, event_type, event_data::json, created_at
from batch
where
    position not in (select position from refused)
    and position not in (select position from repeated)
    and id::uuid not in (select id from known)
