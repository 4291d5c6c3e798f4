-- Takes out the visits of the leads that were computed again.
delete from conversion_funnels
where lead_id in (select lead_id from new_lead_events)
