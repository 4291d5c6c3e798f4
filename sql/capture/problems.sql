-- What is wrong with the events of a batch, one row per problem: position, field, value, reason.
-- :event_type_pattern  what an event type may look like
-- :max_bytes           longest event_data allowed
-- :max_text            longest text allowed in a field
with doubtful as materialized (
    select
        *,
        try_cast(id as uuid) is null as bad_id,
        event_type is null or not regexp_matches(event_type, $event_type_pattern) as bad_type,
        created_at is null or created_at < timestamptz '1970-01-01 00:00:00+00' or created_at > now() + interval 1 day as bad_instant,
        user_id is not null and (trim(user_id) = '' or length(user_id) > $max_text) as bad_user,
        event_data is null or not (json_valid(event_data) and ltrim(event_data, e' \t\r\n')[1] = '{') as bad_data,
        coalesce(strlen(event_data), 0) > $max_bytes as long_data
    from batch
    where bad_id or bad_type or bad_instant or bad_user or bad_data or long_data
),
envelope as (
    select position, 'id' as field, id as value, 'must be a UUID' as reason from doubtful where bad_id
    union all
    select position, 'event_type', event_type, 'must be small letters, digits, . and _, starting with a letter, at most 64 long'
    from doubtful where bad_type
    union all
    select position, 'created_at', created_at::varchar, 'must be an instant between 1970 and a day from now'
    from doubtful where bad_instant
    union all
    select position, 'user_id', user_id, 'must be null or a text of 1 to ' || $max_text || ' characters' from doubtful where bad_user
    union all
    select position, 'event_data', event_data, 'must be a JSON object' from doubtful where bad_data
    union all
    select position, 'event_data', null, 'is longer than ' || $max_bytes || ' bytes' from doubtful where long_data
),
-- One look into the JSON per field: the first character of a value's JSON text tells what kind of value it is.
fields as (
    select position, contract.*, json_extract(event_data, '$.' || field)::varchar as given, given[1] as opening
    from batch join contract using (event_type)
    where position not in (select position from doubtful where bad_data)
),
judged as (
    select
        position, field, given as value,
        case
            when given is null or opening = 'n' then case when required then 'is required' end
            when kind = 'text' then case
                when opening <> '"' then 'must be a text'
                when length(given) - 2 > $max_text or trim(given[2:-2]) = '' then 'must be a text of 1 to ' || $max_text || ' characters'
                when one_of is not null and not list_contains(one_of, given[2:-2])
                    then 'must be one of ' || array_to_string(one_of, ', ')
            end
            when kind = 'boolean' then case when opening not in ('t', 'f') then 'must be true or false' end
            when opening not in ('-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9') then 'must be a number'
            when not isfinite(try_cast(given as double)) then 'must be a finite number'
            when kind = 'integer' and try_cast(given as double) <> floor(try_cast(given as double)) then 'must be a whole number'
            when try_cast(given as double) < minimum then 'must be at least ' || minimum::decimal(18, 0)
            when try_cast(given as double) > maximum then 'must be at most ' || maximum::decimal(18, 0)
        end as reason
    from fields
)
select position, field, trim(value, '"')[:80] as value, reason from judged where reason is not null
union all
select position, field, value[:80], reason from envelope
order by position, field
