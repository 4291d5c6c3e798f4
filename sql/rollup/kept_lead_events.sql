-- The lead events of which the event itself has been deleted.
insert into new_lead_events by name
select * from lead_events
where event_id not in (select event_id from new_lead_events)
