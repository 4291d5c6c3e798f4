-- Number of leads in the history.
select count(distinct lead_id) from history
