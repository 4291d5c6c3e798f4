-- Leads by week (from Monday): how many came in, were contacted and converted in it, and what they brought.
-- `days` is how many days of the week are in the period: fewer than 7 where the period cuts it.
-- :start_date  first day, tenant's time zone
-- :end_date    last day
select
    week::date as week,
    1 + date_diff(
        'day', greatest(week::date, $start_date::date), least(week::date + 6, $end_date::date)
    ) as days,
    count(distinct lead_id) filter (created > 0) as leads,
    count(distinct lead_id) filter (contacted > 0) as contacted,
    count(distinct lead_id) filter (converted > 0) as converted,
    coalesce(sum(revenue), 0) as revenue
from generate_series(date_trunc('week', $start_date::date), $end_date::date::timestamp, interval 7 day) as calendar (week)
left join lead_activity
    on date_trunc('week', activity_date) = week and activity_date between $start_date::date and $end_date::date
group by week
order by week
