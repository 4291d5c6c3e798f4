-- Keeps what was computed.
insert into lead_events by name select * from new_lead_events;

insert into conversion_funnels by name select * from new_conversion_funnels;

insert into lead_activity by name select * from new_lead_activity;

insert into agent_metrics by name select * from new_agent_metrics;

insert into campaign_metrics by name select * from new_campaign_metrics;

insert into daily_reports by name select * from new_daily_reports;

delete from rollup_state
