-- Adds the batch's good events to the lake: those not refused, once each, and not there already.
-- :tenant_id  whose events they are
insert into analytics_events (id, tenant_id, user_id, event_type, event_data, created_at)
with good as materialized (
    select position, id::uuid as id, user_id, event_type, event_data, created_at
    from batch anti join refused using (position)
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
select good.id, $tenant_id, good.user_id, good.event_type, good.event_data::json, good.created_at
from good
where good.id not in (select id from known) and good.position not in (select position from repeated)
