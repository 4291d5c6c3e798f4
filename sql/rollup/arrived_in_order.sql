-- UTC days of the events that arrived, in order, with their number.
select local_day(quarter, 'UTC') as day, sum(events)::bigint as events
from arrived
group by all
order by day
