-- Sources of a period: the leads that came in during it, how many of them have converted since, and what they brought.
-- A lead's source is the first one given; where the event that gave it is no longer kept, that is said.
-- :start_date  first day, tenant's time zone
-- :end_date    last day
-- :timezone    the tenant's time zone
with created as (
    select distinct lead_id from lead_activity
    where created > 0 and activity_date between $start_date::date and $end_date::date
),
given as (
    select
        json_extract_string(event_data, '$.lead_id') as lead_id,
        coalesce(arg_min(nullif(trim(json_extract_string(event_data, '$.source')), ''), created_at), 'not given') as source
    from analytics_events
    where event_type = 'lead.created'
        and timezone($timezone, created_at)::date between $start_date::date and $end_date::date
    group by lead_id
),
converted as (
    select lead_id, sum(revenue) as revenue from lead_activity where converted > 0 group by lead_id
)
select
    coalesce(source, 'no longer kept') as source,
    count(*) as leads,
    count(converted.lead_id) as leads_converted,
    100.0 * count(converted.lead_id) / count(*) as conversion_rate,
    coalesce(sum(revenue), 0) as revenue
from created left join given using (lead_id) left join converted using (lead_id)
group by all
order by leads desc, source
