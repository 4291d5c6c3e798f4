-- Adds the batch's good events to the lake: those not refused, once each, and not there already.
-- :tenant_id  whose events they are
insert into analytics_events (id, tenant_id, user_id, event_type, event_data, created_at)
with good as (
    select id::uuid as id, user_id, event_type, event_data, created_at
    from batch anti join refused using (position)
    qualify count(*) over () > 0 and row_number() over (partition by id order by position) = 1
),
span as (select min(created_at) as first_at, max(created_at) as last_at from good)
select good.id, $tenant_id, good.user_id, good.event_type, good.event_data::json, good.created_at
from good
where good.id not in (
    select id from analytics_events
    where created_at between (select first_at from span) and (select last_at from span)
)
