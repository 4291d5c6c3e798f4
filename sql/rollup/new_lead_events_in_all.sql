-- Number of new lead events.
select count(*) from new_lead_events
