-- Takes out the note of how far the last roll-up came.
delete from rollup_state
