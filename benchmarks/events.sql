-- Made-up events of all types in the order they happened, a hundred in the same mix again and again, spread evenly over a time span.
-- :first    number of the first event; the same numbers are the same events
-- :count    how many
-- :start    when the event of that number happened
-- :seconds  length of the whole span
with numbered as (
    select
        i, hash(i) as dice, i * 37 % 100 as slot,
        -- Eight leads are created in each hundred; what else happens, happens to one of the thousands before.
        i // 100 * 8 as lead_base
    from range($first::bigint, $first::bigint + $count::bigint) as numbers(i)
),
drawn as (
    select
        i, slot,
        'Agent ' || lpad((dice % 200)::varchar, 3, '0') as agent,
        'campaign_' || (dice // 7 % 40) as campaign,
        'L-' || lpad(greatest(lead_base - 8 - (dice // 11 % 4000)::bigint, 0)::varchar, 8, '0') as lead,
        'L-' || lpad((lead_base + slot - 40)::varchar, 8, '0') as new_lead,
        dice // 13 % 100 < 86 as answered,
        dice // 17 % 100 as percent,
        dice // 19 % 600 as amount
    from numbered
),
told as (
    select
        i, agent,
        case
            when slot < 40 then 'call.completed'
            when slot < 48 then 'lead.created'
            when slot < 56 then 'lead.contacted'
            when slot < 64 then 'lead.stage_entered'
            when slot < 66 then 'lead.converted'
            when slot < 70 then 'lead.lost'
            when slot < 80 then 'survey.rated'
            when slot < 88 then 'task.completed'
            when slot < 94 then 'agent.available'
            when slot < 95 then 'campaign.spent'
            when slot < 96 then 'achievement.unlocked'
            else 'page.viewed'
        end as event_type,
        case
            when slot < 40 and answered then
                '{"call_id": "C-' || i || '", "answered": true, "duration_seconds": ' || (amount + 20) || ', "wait_seconds": ' || percent
                || ', "resolved": ' || (percent < 72) || ', "topic": "topic ' || (percent % 12) || '"'
                || case when slot < 14 then ', "lead_id": "' || lead || '", "campaign_id": "' || campaign || '"' else '' end
                || ', "direction": "' || case when slot < 14 then 'outbound' else 'inbound' end || '"}'
            when slot < 40 then
                '{"call_id": "C-' || i || '", "answered": false, "wait_seconds": ' || (percent * 2) || ', "direction": "inbound"}'
            when slot < 48 then
                '{"lead_id": "' || new_lead || '", "campaign_id": "' || campaign || '", "source": "search", "value": ' || amount || '}'
            when slot < 56 then '{"lead_id": "' || lead || '", "campaign_id": "' || campaign || '", "channel": "phone"}'
            when slot < 64 then
                '{"lead_id": "' || lead || '", "stage": "' || case when percent < 60 then 'qualified' else 'proposal' end || '"}'
            when slot < 66 then '{"lead_id": "' || lead || '", "revenue": ' || amount || '.' || (percent % 90 + 10) || '}'
            when slot < 70 then '{"lead_id": "' || lead || '", "reason": "no budget"}'
            when slot < 80 then '{"rating": ' || (percent % 5 + 1) || ', "call_id": "C-' || (i - 1) || '"}'
            when slot < 88 then '{"task_id": "T-' || i || '", "kind": "follow-up"}'
            when slot < 94 then '{"available_seconds": ' || (amount * 40) || '}'
            when slot < 95 then '{"campaign_id": "' || campaign || '", "amount": ' || amount || ', "currency": "CHF"}'
            when slot < 96 then '{"achievement": "Most calls of the week", "points": 50}'
            else '{"page": "/help/' || percent || '", "seconds": ' || amount || '}'
        end as event_data,
        slot < 40 and not answered or slot between 40 and 47 or slot = 94 as by_nobody
    from drawn
)
select
    md5('event ' || i)::uuid::varchar as id,
    case when not by_nobody then agent end as user_id,
    event_type,
    event_data,
    $start::timestamptz + to_microseconds((($seconds::double * 1e6) * ((i - $first::bigint) / $count::double))::bigint) as created_at
from told
order by i
