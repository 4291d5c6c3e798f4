-- The team's figures of a period, one row; distinct leads and agents are of the whole period, null where nothing can be divided.
-- :start_date  first day, tenant's time zone
-- :end_date    last day
with days as (
    select * from daily_reports where report_date between $start_date::date and $end_date::date
),
leads as (
    select
        count(distinct lead_id) filter (created > 0) as leads,
        count(distinct lead_id) filter (contacted > 0) as leads_contacted,
        count(distinct lead_id) filter (called + contacted + converted > 0) as leads_touched,
        count(distinct lead_id) filter (converted > 0) as leads_converted
    from lead_activity where activity_date between $start_date::date and $end_date::date
),
agents as (
    select count(distinct agent_id) as agents from agent_metrics where metric_date between $start_date::date and $end_date::date
)
select
    coalesce(sum(total_calls), 0)::bigint as calls_handled,
    coalesce(sum(calls_offered), 0)::bigint as calls_offered,
    coalesce(sum(calls_abandoned), 0)::bigint as calls_abandoned,
    100.0 * sum(calls_abandoned) / nullif(sum(calls_offered), 0) as abandonment_rate,
    sum(answer_seconds_sum) / nullif(sum(calls_with_answer_seconds), 0) as speed_of_answer,
    sum(call_seconds_sum) / nullif(sum(calls_with_duration), 0) as avg_call_seconds,
    100.0 * sum(calls_resolved) / nullif(sum(calls_with_resolution), 0) as resolution_rate,
    sum(rating_sum) / nullif(sum(ratings), 0) as customer_rating,
    coalesce(sum(ratings), 0)::bigint as ratings,
    any_value(leads.leads) as leads,
    any_value(leads.leads_contacted) as leads_contacted,
    any_value(leads.leads_touched) as leads_touched,
    any_value(leads.leads_converted) as leads_converted,
    100.0 * any_value(leads.leads_converted) / nullif(any_value(leads.leads), 0) as conversion_rate,
    coalesce(sum(total_revenue), 0) as revenue,
    coalesce(sum(spend), 0) as spend,
    coalesce(sum(tasks_completed), 0)::bigint as tasks_completed,
    any_value(agents.agents) as agents,
    coalesce(sum(events), 0)::bigint as events
from leads cross join agents left join days on true
