-- Late events of closed days are counted as received, so that these days stay closed.
-- :timezone  the tenant's
update daily_reports
set events = daily_reports.events + late.events
from (
    select local_day(quarter, $timezone) as day, sum(events)::bigint as events
    from arrived
    group by all
) as late
where report_date = late.day and report_date in (select day from closed)
