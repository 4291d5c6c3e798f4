-- Events from a row on, counted by quarter of an hour.
-- :row_id    the row before the first of them
-- :last_row  the last row of them
create or replace temp table arrived as
select quarter_of(created_at) as quarter, count(*) as events, max(rowid) as last_row
from analytics_events
where rowid > $row_id and rowid <= $last_row
group by all
