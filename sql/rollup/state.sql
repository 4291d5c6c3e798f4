-- How far the last roll-up came: the last row of events it read, and the time zone of its days.
select last_row, timezone from rollup_state
