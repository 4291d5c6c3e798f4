-- Agents by day: their work, and the leads they moved.
-- :tenant_id  the tenant
insert into new_agent_metrics by name
with moved as (
    select
        day,
        agent_id as user_id,
        max(converted) > 0 as converted,
        max(called) > 0 or max(contacted) > 0 or max(converted) > 0 as touched,
        max(contacted) > 0 as contacted,
        max(lost) > 0 as lost,
        sum(revenue) as revenue
    from activity
    where agent_id is not null
    group by day, agent_id, lead_id
),
leads as (
    select
        day,
        user_id,
        count(*) filter (converted) as leads_converted,
        count(*) filter (touched) as leads_touched,
        count(*) filter (contacted) as leads_contacted,
        count(*) filter (lost) as leads_lost,
        sum(revenue)::double as total_revenue
    from moved
    group by day, user_id
)
select
    key_id(concat_ws('/', 'agent', $tenant_id, day, user_id)) as id,
    $tenant_id as tenant_id,
    user_id as agent_id,
    day as metric_date,
    calls_handled,
    mean(call_seconds_sum::double, calls_with_duration) as avg_call_seconds,
    coalesce(leads_converted, 0) as leads_converted,
    percentage(leads_converted, leads_touched) as conversion_rate,
    mean(rating_sum::double, ratings) as customer_rating,
    tasks_completed,
    available_seconds::double as available_seconds,
    calls_offered,
    calls_offered - calls_handled as calls_abandoned,
    call_seconds_sum::double as call_seconds_sum,
    calls_with_duration,
    answer_seconds_sum::double as answer_seconds_sum,
    calls_with_answer_seconds,
    wait_seconds_sum::double as wait_seconds_sum,
    calls_with_wait,
    calls_resolved,
    calls_with_resolution,
    coalesce(leads_touched, 0) as leads_touched,
    coalesce(leads_contacted, 0) as leads_contacted,
    coalesce(leads_lost, 0) as leads_lost,
    coalesce(total_revenue, 0) as total_revenue,
    rating_sum::double as rating_sum,
    ratings
from work
left join leads using (day, user_id)
where user_id is not null and (actions > 0 or ratings > 0)
