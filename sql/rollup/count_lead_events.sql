-- Number of events of all leads.
select count(*) from lead_events
