-- The touched days, with the number of their kept events.
-- :last_row  the last row that is read
-- :begins    an instant before them
-- :ends      an instant after them
create or replace temp table days as
select day, closed, sum(events)::bigint as events
from quarters
inner join (
    select quarter_of(created_at) as quarter, count(*) as events
    from analytics_events
    where created_at >= $begins and created_at < $ends and rowid <= $last_row
    group by all
) using (quarter)
group by day, closed
