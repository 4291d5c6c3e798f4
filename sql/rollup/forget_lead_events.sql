-- Before everything is read again: lead events whose event is still kept go, those whose event was deleted stay.
delete from lead_events
where event_id in (select id from analytics_events where event_type like 'lead.%')
