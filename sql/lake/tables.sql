-- All tables of a tenant's lake, and how the facts are laid out in files.
-- Run when a lake is made, and again when a newer workbench adds a table: what exists is left as it is.
-- Days are local days of the tenant, instants are UTC, times are seconds, money is the tenant's currency,
-- percentages are 0-100. A rate or mean whose denominator is zero is null; its sums and counts stand beside it.

-- Facts: one row per event, as it was captured.
create table if not exists analytics_events (
    id uuid,
    tenant_id varchar,
    user_id varchar,
    event_type varchar,
    event_data json,
    created_at timestamptz
);

-- One row per visit of a lead to a stage of the funnel; `id` is the id of the event that entered it.
create table if not exists conversion_funnels (
    id uuid,
    tenant_id varchar,
    campaign_id varchar,
    lead_id varchar,
    stage varchar,
    entered_at timestamptz,
    exited_at timestamptz,           -- null while open
    seconds_in_stage double,         -- null while open
    outcome varchar,                 -- advanced, converted, dropped, open
    visit bigint                     -- which visit of the lead it is, from 1
);

-- One row per agent and day on which the agent did anything with calls, leads, tasks or availability, or was rated.
create table if not exists agent_metrics (
    id uuid,
    tenant_id varchar,
    agent_id varchar,
    metric_date date,
    calls_handled bigint,            -- answered calls
    avg_call_seconds double,         -- call_seconds_sum / calls_with_duration
    leads_converted bigint,          -- distinct leads
    conversion_rate double,          -- 100 * leads_converted / leads_touched
    customer_rating double,          -- rating_sum / ratings
    tasks_completed bigint,
    available_seconds double,
    calls_offered bigint,            -- answered or not
    calls_abandoned bigint,          -- not answered
    call_seconds_sum double,         -- talk time of the answered calls that have one
    calls_with_duration bigint,
    answer_seconds_sum double,       -- wait of the answered calls that have one: speed of answer
    calls_with_answer_seconds bigint,
    wait_seconds_sum double,         -- wait of all calls that have one
    calls_with_wait bigint,
    calls_resolved bigint,           -- answered and resolved
    calls_with_resolution bigint,    -- answered, and known whether resolved
    leads_touched bigint,            -- distinct leads by call, contact or conversion
    leads_contacted bigint,          -- distinct leads
    leads_lost bigint,               -- distinct leads
    total_revenue double,
    rating_sum double,
    ratings bigint
);

-- One row per campaign and day on which it had a lead created, contacted, converted or lost, or cost money.
create table if not exists campaign_metrics (
    id uuid,
    tenant_id varchar,
    campaign_id varchar,
    metric_date date,
    leads_generated bigint,          -- distinct leads
    leads_contacted bigint,          -- distinct leads
    leads_converted bigint,          -- distinct leads
    conversion_rate double,          -- 100 * leads_converted / leads_generated
    avg_lead_value double,           -- total_revenue / leads_converted
    total_revenue double,
    spend double,
    roi double,                      -- 100 * (total_revenue - spend) / spend
    cost_per_lead double,            -- spend / leads_generated
    leads_lost bigint                -- distinct leads
);

-- One row per day that has an event of any type.
create table if not exists daily_reports (
    tenant_id varchar,
    report_date date,
    total_calls bigint,              -- answered calls
    total_leads bigint,              -- distinct leads created
    converted_leads bigint,          -- distinct leads
    team_conversion_rate double,     -- 100 * converted_leads / total_leads
    avg_call_seconds double,         -- call_seconds_sum / calls_with_duration
    tasks_completed bigint,
    active_agents bigint,            -- distinct users with a call, lead, task or availability event
    total_revenue double,
    calls_offered bigint,
    calls_abandoned bigint,
    call_seconds_sum double,
    calls_with_duration bigint,
    answer_seconds_sum double,
    calls_with_answer_seconds bigint,
    wait_seconds_sum double,
    calls_with_wait bigint,
    calls_resolved bigint,
    calls_with_resolution bigint,
    leads_touched bigint,            -- distinct leads by call, contact or conversion
    leads_contacted bigint,          -- distinct leads
    leads_lost bigint,               -- distinct leads
    rating_sum double,
    ratings bigint,
    available_seconds double,
    spend double,
    events bigint                    -- events of any type ever received for the day
);

-- One row per lead, agent, campaign and day: distinct leads of any longer period stay exact after events are deleted.
create table if not exists lead_activity (
    tenant_id varchar,
    lead_id varchar,
    agent_id varchar,                -- null where nobody is named
    campaign_id varchar,             -- the event's, else the lead's own, else null
    activity_date date,
    created bigint,                  -- events of each kind
    contacted bigint,
    called bigint,
    converted bigint,
    lost bigint,
    revenue double
);

-- Lead events with their fields taken out of the JSON, kept as long as the funnels that are made of them.
create table if not exists lead_events (
    event_id uuid,
    lead_id varchar,
    step tinyint,                    -- order at the same instant: 1 created, 2 contacted, 3 stage entered, 4 converted, 5 lost
    stage varchar,                   -- of a stage entered
    campaign_id varchar,             -- the event's own
    source varchar,                  -- of a creation
    created_at timestamptz
);

-- Files of one month lie together: a day is read from a few of them, and a batch of late events makes few more.
alter table analytics_events set partitioned by (year(created_at), month(created_at));

-- One row, or none before the first roll-up: events up to this row of analytics_events are rolled up, cut in this zone.
-- `last_row` is DuckLake's rowid: it grows with every commit and, unlike snapshot_id, outlives every compaction.
create table if not exists rollup_state (
    tenant_id varchar,
    snapshot_id bigint,
    last_row bigint,
    timezone varchar
);
