-- Number of leads with a history.
select count(*) from leads
