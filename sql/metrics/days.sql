-- The team's figures day by day, one row for every day of the period, also for days on which nothing happened.
-- :start_date  first day, tenant's time zone
-- :end_date    last day
select
    day::date as day,
    coalesce(total_calls, 0) as calls_handled,
    coalesce(calls_abandoned, 0) as calls_abandoned,
    100.0 * calls_abandoned / nullif(calls_offered, 0) as abandonment_rate,
    avg_call_seconds,
    answer_seconds_sum / nullif(calls_with_answer_seconds, 0) as speed_of_answer,
    rating_sum / nullif(ratings, 0) as customer_rating,
    coalesce(total_leads, 0) as leads,
    coalesce(converted_leads, 0) as leads_converted,
    coalesce(total_revenue, 0) as revenue,
    coalesce(tasks_completed, 0) as tasks_completed,
    coalesce(active_agents, 0) as active_agents
from generate_series($start_date::date, $end_date::date, interval 1 day) as calendar (day)
left join daily_reports on report_date = day::date
order by day
