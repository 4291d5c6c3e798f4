-- What is wrong with the events of a batch, one row per problem: position, field, value, reason.
-- :max_bytes  longest event_data allowed
-- :max_text   longest text allowed in a field
with envelope as (
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
    from batch inner join contract using (event_type)
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
