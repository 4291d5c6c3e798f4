-- Days of which events have been deleted: more were received than are kept. Their figures stay as they are. `late` is how many more
-- events arrived.
-- :row_id     the last row that was read
-- :timezone   in which these days were cut
-- :first_day  days to look at
-- :last_day   the last of them
-- :begins     an instant before them
-- :ends       an instant after them
create or replace temp table closed as
with kept as (
    select local_day(quarter, $timezone) as day, sum(events) as events
    from (
        select quarter_of(created_at) as quarter, count(*) as events
        from analytics_events
        where created_at >= $begins and created_at < $ends and rowid <= $row_id
        group by all
    )
    group by all
),
late as (
    select local_day(quarter, $timezone) as day, sum(events)::bigint as events
    from arrived
    group by all
)
select report_date as day, coalesce(late.events, 0) as late
from daily_reports
left join kept on kept.day = report_date
left join late on late.day = report_date
where report_date between $first_day and $last_day and daily_reports.events > coalesce(kept.events, 0)
