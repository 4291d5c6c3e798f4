-- Sources of a period: the leads that came in during it, how many of them have converted since, and what they brought.
-- A lead's source is the first one given at a creation of it.
-- :start_date  first day, tenant's time zone
-- :end_date    last day
with created as (
    select distinct lead_id from lead_activity
    where created > 0 and activity_date between $start_date::date and $end_date::date
),
given as (
    select lead_id, min_by(trim(source), (created_at, event_id)) as source
    from lead_events
    where step = 1 and trim(source) <> '' and lead_id in (select lead_id from created)
    group by lead_id
),
converted as (
    select lead_id, sum(revenue) as revenue from lead_activity where converted > 0 group by lead_id
)
select
    coalesce(source, 'not given') as source,
    count(*) as leads,
    count(converted.lead_id) as leads_converted,
    100.0 * count(converted.lead_id) / count(*) as conversion_rate,
    coalesce(sum(revenue), 0) as revenue
from created left join given using (lead_id) left join converted using (lead_id)
group by all
order by leads desc, source
