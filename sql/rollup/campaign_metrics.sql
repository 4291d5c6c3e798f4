-- Campaigns by day: the leads they brought and moved, what came of it, and what they cost.
-- :tenant_id  the tenant
insert into new_campaign_metrics by name
with moved as (
    select
        day,
        campaign_id,
        max(created) > 0 as created,
        max(contacted) > 0 as contacted,
        max(converted) > 0 as converted,
        max(lost) > 0 as lost,
        sum(revenue) as revenue
    from activity
    where campaign_id is not null and created + contacted + converted + lost > 0
    group by day, campaign_id, lead_id
),
leads as (
    select
        day,
        campaign_id,
        count(*) filter (created) as leads_generated,
        count(*) filter (contacted) as leads_contacted,
        count(*) filter (converted) as leads_converted,
        count(*) filter (lost) as leads_lost,
        sum(revenue)::double as total_revenue
    from moved
    group by day, campaign_id
),
costs as (
    select day, campaign_id, coalesce(sum(number), 0)::double as spend
    from facts
    where kind = 10 and campaign_id is not null and not closed
    group by day, campaign_id
),
together as (
    select
        day,
        campaign_id,
        coalesce(leads_generated, 0) as leads_generated,
        coalesce(leads_contacted, 0) as leads_contacted,
        coalesce(leads_converted, 0) as leads_converted,
        coalesce(leads_lost, 0) as leads_lost,
        coalesce(total_revenue, 0) as total_revenue,
        coalesce(spend, 0) as spend
    from leads
    full outer join costs using (day, campaign_id)
)
select
    key_id(concat_ws('/', 'campaign', $tenant_id, day, campaign_id)) as id,
    $tenant_id as tenant_id,
    campaign_id,
    day as metric_date,
    leads_generated,
    leads_contacted,
    leads_converted,
    percentage(leads_converted, leads_generated) as conversion_rate,
    mean(total_revenue, leads_converted) as avg_lead_value,
    total_revenue,
    spend,
    percentage(total_revenue - spend, spend) as roi,
    mean(spend, leads_generated) as cost_per_lead,
    leads_lost
from together
