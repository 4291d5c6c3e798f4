-- Number of the events that arrived, and the last row of them.
select coalesce(sum(events), 0)::bigint, max(last_row) from arrived
