-- What is wrong with the events of a batch, one row per problem: position, field, value, reason.
-- :event_type_pattern  what an event type may look like
-- :max_bytes           longest event_data allowed
-- :max_text            longest text allowed in a field
with incoming as (
    select
        position, id, user_id, event_type, event_data, created_at,
        case when json_valid(event_data) and json_type(event_data) = 'OBJECT' then event_data end as object
    from batch
),
envelope as (
    select position, 'id' as field, id as value, 'must be a UUID' as reason
    from incoming where try_cast(id as uuid) is null
    union all
    select position, 'event_type', event_type, 'must be small letters, digits, . and _, starting with a letter, at most 64 long'
    from incoming where event_type is null or not regexp_matches(event_type, $event_type_pattern)
    union all
    select position, 'created_at', created_at::varchar, 'must be an instant between 1970 and a day from now'
    from incoming where created_at is null or created_at < timestamptz '1970-01-01 00:00:00+00' or created_at > now() + interval 1 day
    union all
    select position, 'user_id', user_id, 'must be null or a text of 1 to ' || $max_text || ' characters'
    from incoming where trim(user_id) = '' or length(user_id) > $max_text
    union all
    select position, 'event_data', event_data[:80], 'must be a JSON object'
    from incoming where object is null
    union all
    select position, 'event_data', null, 'is longer than ' || $max_bytes || ' bytes'
    from incoming where strlen(event_data) > $max_bytes
),
fields as (
    select
        position, contract.*,
        json_type(object, '$.' || field) as type,
        json_extract_string(object, '$.' || field) as value
    from incoming join contract using (event_type)
    where object is not null
),
judged as (
    select
        position, field, value,
        case
            when type is null or type = 'NULL' then case when required then 'is required' end
            when kind = 'text' and type <> 'VARCHAR' then 'must be a text'
            when kind = 'text' and (trim(value) = '' or length(value) > $max_text)
                then 'must be a text of 1 to ' || $max_text || ' characters'
            when one_of is not null and not list_contains(one_of, value) then 'must be one of ' || array_to_string(one_of, ', ')
            when kind = 'boolean' and type <> 'BOOLEAN' then 'must be true or false'
            when kind in ('number', 'integer') and type not in ('BIGINT', 'UBIGINT', 'DOUBLE') then 'must be a number'
            when kind = 'integer' and type = 'DOUBLE' then 'must be a whole number'
            when kind in ('number', 'integer') and try_cast(value as double) < minimum then 'must be at least ' || minimum
            when kind in ('number', 'integer') and try_cast(value as double) > maximum then 'must be at most ' || maximum
            when kind in ('number', 'integer') and not isfinite(try_cast(value as double)) then 'must be a finite number'
        end as reason
    from fields
)
select position, field, value[:80] as value, reason from judged where reason is not null
union all
select position, field, value[:80], reason from envelope
order by position, field
