-- The Monday on which some weeks start, the last of which holds a day: the one given, else the last day with events.
-- :weeks     how many weeks
-- :end_date  the day, tenant's time zone, or null
select (
    date_trunc('week', coalesce($end_date::date, max(report_date) filter (events > 0), today() - 1))::date
    - 7 * ($weeks::integer - 1)
) as monday
from daily_reports
