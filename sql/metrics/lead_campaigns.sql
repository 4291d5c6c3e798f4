-- Campaigns of a period: the leads that came in during it, how many of them have converted since, and what they cost and brought.
-- A lead belongs to its first campaign of the period. Rates are null where nothing can be divided.
-- :start_date  first day, tenant's time zone
-- :end_date    last day
with created as (
    select lead_id, first(campaign_id order by activity_date, campaign_id) as campaign_id
    from lead_activity
    where created > 0 and campaign_id is not null and activity_date between $start_date::date and $end_date::date
    group by lead_id
),
converted as (
    select lead_id, sum(revenue) as revenue from lead_activity where converted > 0 group by lead_id
),
leads as (
    select
        campaign_id,
        count(*) as leads,
        count(converted.lead_id) as leads_converted,
        coalesce(sum(revenue), 0) as revenue
    from created left join converted using (lead_id)
    group by campaign_id
),
money as (
    select campaign_id, sum(spend) as spend
    from campaign_metrics where metric_date between $start_date::date and $end_date::date
    group by campaign_id having sum(spend) > 0
)
select
    campaign_id,
    coalesce(leads, 0) as leads,
    coalesce(leads_converted, 0) as leads_converted,
    100.0 * leads_converted / leads as conversion_rate,
    coalesce(revenue, 0) as revenue,
    coalesce(spend, 0) as spend,
    100.0 * (coalesce(revenue, 0) - spend) / spend as roi,
    coalesce(spend, 0) / leads as cost_per_lead
from leads full outer join money using (campaign_id)
order by revenue desc, campaign_id
