-- Each campaign's figures of a period; leads are distinct over the whole period, rates are null where nothing can be divided.
-- :start_date  first day, tenant's time zone
-- :end_date    last day
with leads as (
    select
        campaign_id,
        count(distinct lead_id) filter (created > 0) as leads,
        count(distinct lead_id) filter (converted > 0) as leads_converted
    from lead_activity
    where campaign_id is not null and activity_date between $start_date::date and $end_date::date
    group by campaign_id
),
money as (
    select campaign_id, sum(total_revenue) as revenue, sum(spend) as spend
    from campaign_metrics where metric_date between $start_date::date and $end_date::date
    group by campaign_id
)
select
    campaign_id,
    coalesce(leads, 0) as leads,
    coalesce(leads_converted, 0) as leads_converted,
    100.0 * leads_converted / nullif(leads, 0) as conversion_rate,
    revenue,
    spend,
    100.0 * (revenue - spend) / nullif(spend, 0) as roi,
    spend / nullif(leads, 0) as cost_per_lead
from money left join leads using (campaign_id)
order by revenue desc, campaign_id
