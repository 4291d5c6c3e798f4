-- Number of the events that arrived, and the last row of them, -1 where there are none.
select coalesce(sum(events), 0)::bigint, coalesce(max(last_row), -1) from arrived
