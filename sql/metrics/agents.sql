-- Each agent's figures of a period; distinct leads are of the whole period, rates are null where nothing can be divided.
-- :start_date  first day, tenant's time zone
-- :end_date    last day
with days as (
    select * from agent_metrics where metric_date between $start_date::date and $end_date::date
),
leads as (
    select
        agent_id,
        count(distinct lead_id) filter (called + contacted + converted > 0) as leads_touched,
        count(distinct lead_id) filter (converted > 0) as leads_converted
    from lead_activity where activity_date between $start_date::date and $end_date::date
    group by agent_id
)
select
    agent_id,
    sum(calls_handled)::bigint as calls_handled,
    sum(call_seconds_sum) / nullif(sum(calls_with_duration), 0) as avg_call_seconds,
    sum(calls_with_duration)::bigint as calls_with_duration,
    sum(answer_seconds_sum) / nullif(sum(calls_with_answer_seconds), 0) as speed_of_answer,
    100.0 * sum(calls_resolved) / nullif(sum(calls_with_resolution), 0) as resolution_rate,
    sum(calls_with_resolution)::bigint as calls_with_resolution,
    sum(rating_sum) / nullif(sum(ratings), 0) as customer_rating,
    sum(ratings)::bigint as ratings,
    coalesce(any_value(leads.leads_touched), 0) as leads_touched,
    coalesce(any_value(leads.leads_converted), 0) as leads_converted,
    100.0 * any_value(leads.leads_converted) / nullif(any_value(leads.leads_touched), 0) as conversion_rate,
    sum(total_revenue) as revenue,
    sum(tasks_completed)::bigint as tasks_completed,
    sum(available_seconds) as available_seconds
from days left join leads using (agent_id)
group by agent_id
order by calls_handled desc, leads_converted desc, agent_id
