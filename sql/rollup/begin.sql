-- What the statements of the roll-up share: words for what they say often, and the empty tables that they fill.
-- A quarter is a quarter of an hour, counted from year 1 in UTC. Zones have been whole quarters away from UTC since 1972, so that
-- a quarter lies in one local day: days are found once per quarter, not once per event, which is seven times as fast.
create or replace temp macro quarter_of(instant) as (epoch_us(instant) + 62135596800000000) // 900000000;

create or replace temp macro local_day(quarter, zone) as
    timezone(zone, make_timestamptz(quarter * 900000000 - 62135596800000000))::date;

-- A moment is an instant and what comes first at the same instant, in one number.
create or replace temp macro moment_of(instant, step) as (epoch_us(instant) + 62135596800000000) * 8 + step;

create or replace temp macro instant_of(moment) as make_timestamptz(moment // 8 - 62135596800000000);

create or replace temp macro percentage(part, whole) as 100.0 * part / nullif(whole, 0);

create or replace temp macro mean(total, items) as total / nullif(items, 0);

create or replace temp macro key_id(key) as md5(key)::uuid;

-- The order of a lead's events at the same instant, which is also the number by which the roll-up knows them.
create or replace temp macro kind_of(event_type) as
    case event_type
        when 'lead.created' then 1
        when 'lead.contacted' then 2
        when 'lead.stage_entered' then 3
        when 'lead.converted' then 4
        when 'lead.lost' then 5
        when 'call.completed' then 6
        when 'survey.rated' then 7
        when 'task.completed' then 8
        when 'agent.available' then 9
        when 'campaign.spent' then 10
    end::tinyint;

create or replace temp table new_lead_events as select * from lead_events limit 0;

create or replace temp table new_conversion_funnels as select * from conversion_funnels limit 0;

create or replace temp table new_agent_metrics as select * from agent_metrics limit 0;

create or replace temp table new_campaign_metrics as select * from campaign_metrics limit 0;

create or replace temp table new_daily_reports as select * from daily_reports limit 0;

create or replace temp table new_lead_activity as select * from lead_activity limit 0;

create or replace temp table closed (day date, late bigint);
