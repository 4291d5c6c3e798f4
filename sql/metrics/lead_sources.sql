-- Leads that came in during a period by their source: how many, and how many of them have converted since.
-- :start_date  first day, tenant's time zone
-- :end_date    last day
-- :timezone    the tenant's time zone
with created as (
    select
        json_extract_string(event_data, '$.lead_id') as lead_id,
        coalesce(arg_min(json_extract_string(event_data, '$.source'), created_at), 'not given') as source
    from analytics_events
    where event_type = 'lead.created'
        and timezone($timezone, created_at)::date between $start_date::date and $end_date::date
    group by lead_id
),
converted as (
    select lead_id, sum(revenue) as revenue from lead_activity where converted > 0 group by lead_id
)
select
    source,
    count(*) as leads,
    count(converted.lead_id) as leads_converted,
    100.0 * count(converted.lead_id) / count(*) as conversion_rate,
    coalesce(sum(revenue), 0) as revenue
from created left join converted using (lead_id)
group by source
order by leads desc, source
