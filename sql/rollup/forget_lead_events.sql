-- Takes out all lead events, before all are kept anew.
delete from lead_events
