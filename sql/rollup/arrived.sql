-- Events that no roll-up has read yet, counted by quarter of an hour; then their number, and the last row.
-- :row_id  the last row that was read
create or replace temp table arrived as
select quarter_of(created_at) as quarter, count(*) as events, max(rowid) as last_row
from analytics_events
where rowid > $row_id
group by all
