-- The team by day.
-- :tenant_id  the tenant
-- :first_day  the first of the days of the facts
-- :last_day   the last of them
insert into new_daily_reports by name
with team as (
    select
        day,
        sum(calls_handled)::bigint as total_calls,
        sum(tasks_completed)::bigint as tasks_completed,
        count(*) filter (user_id is not null and actions > 0) as active_agents,
        sum(calls_offered)::bigint as calls_offered,
        sum(call_seconds_sum)::double as call_seconds_sum,
        sum(calls_with_duration)::bigint as calls_with_duration,
        sum(answer_seconds_sum)::double as answer_seconds_sum,
        sum(calls_with_answer_seconds)::bigint as calls_with_answer_seconds,
        sum(wait_seconds_sum)::double as wait_seconds_sum,
        sum(calls_with_wait)::bigint as calls_with_wait,
        sum(calls_resolved)::bigint as calls_resolved,
        sum(calls_with_resolution)::bigint as calls_with_resolution,
        sum(available_seconds)::double as available_seconds,
        sum(rating_sum)::double as rating_sum,
        sum(ratings)::bigint as ratings
    from work
    group by day
),
moved as (
    select
        day,
        max(created) > 0 as created,
        max(converted) > 0 as converted,
        max(called) > 0 or max(contacted) > 0 or max(converted) > 0 as touched,
        max(contacted) > 0 as contacted,
        max(lost) > 0 as lost,
        sum(revenue) as revenue
    from activity
    group by day, lead_id
),
leads as (
    select
        day,
        count(*) filter (created) as total_leads,
        count(*) filter (converted) as converted_leads,
        count(*) filter (touched) as leads_touched,
        count(*) filter (contacted) as leads_contacted,
        count(*) filter (lost) as leads_lost,
        sum(revenue)::double as total_revenue
    from moved
    group by day
),
costs as (
    select day, sum(number)::double as spend
    from facts
    where kind = 10
    group by day
)
select
    $tenant_id as tenant_id,
    day as report_date,
    coalesce(total_calls, 0) as total_calls,
    coalesce(total_leads, 0) as total_leads,
    coalesce(converted_leads, 0) as converted_leads,
    percentage(converted_leads, total_leads) as team_conversion_rate,
    mean(call_seconds_sum, calls_with_duration) as avg_call_seconds,
    coalesce(tasks_completed, 0) as tasks_completed,
    coalesce(active_agents, 0) as active_agents,
    coalesce(total_revenue, 0) as total_revenue,
    coalesce(calls_offered, 0) as calls_offered,
    coalesce(calls_offered - total_calls, 0) as calls_abandoned,
    coalesce(call_seconds_sum, 0) as call_seconds_sum,
    coalesce(calls_with_duration, 0) as calls_with_duration,
    coalesce(answer_seconds_sum, 0) as answer_seconds_sum,
    coalesce(calls_with_answer_seconds, 0) as calls_with_answer_seconds,
    coalesce(wait_seconds_sum, 0) as wait_seconds_sum,
    coalesce(calls_with_wait, 0) as calls_with_wait,
    coalesce(calls_resolved, 0) as calls_resolved,
    coalesce(calls_with_resolution, 0) as calls_with_resolution,
    coalesce(leads_touched, 0) as leads_touched,
    coalesce(leads_contacted, 0) as leads_contacted,
    coalesce(leads_lost, 0) as leads_lost,
    coalesce(rating_sum, 0) as rating_sum,
    coalesce(ratings, 0) as ratings,
    coalesce(available_seconds, 0) as available_seconds,
    coalesce(spend, 0) as spend,
    events
from days
left join team using (day)
left join leads using (day)
left join costs using (day)
where not closed and day between $first_day and $last_day
