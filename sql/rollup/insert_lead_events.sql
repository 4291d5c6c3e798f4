-- Keeps the new lead events.
insert into lead_events by name
select * from new_lead_events
