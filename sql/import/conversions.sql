-- Macros that read a text cell as what a mapping asks for; null where the text cannot be read so.

-- A text without the spaces around it; null where nothing is left.
create macro cell(t) as nullif(trim(t), '');

-- An expression of the user may fail on a row: that row has no outcome and counts as failed, the others go on.
create macro outcome(x) as struct_extract(try({'v': x}), 'v');
create macro failed(x) as try({'v': x}) is null;
create macro holds(x) as coalesce(outcome(x), false);
create macro unreadable(t, v) as t is not null and v is null;

create macro as_number(t) as case when not contains(t, '_') and isfinite(try_cast(t as double)) then try_cast(t as double) end;
create macro as_number_with_point(t) as
    case when regexp_full_match(t, '[-+]?(\d+|\d{1,3}([, ''’]\d{3})+)(\.\d+)?') then as_number(regexp_replace(t, '[, ''’]', '', 'g')) end;
create macro as_number_with_comma(t) as
    case when regexp_full_match(t, '[-+]?(\d+|\d{1,3}([. ''’]\d{3})+)(,\d+)?')
        then as_number(replace(regexp_replace(t, '[. ''’]', '', 'g'), ',', '.')) end;
create macro whole(n) as case when n = trunc(n) and abs(n) < 9007199254740992 then cast(n as bigint) end;

create macro as_boolean(t, yes, no) as
    case when list_contains(yes, lower(t)) then true when list_contains(no, lower(t)) then false end;

-- Seconds from 95, 1:35, 0:01:35, 1m 35s or PT1M35S.
create macro minutes_and_seconds(t) as
    case when t[1] = '-' then -1 else 1 end
    * (abs(try_cast(split_part(t, ':', 1) as double)) * 60 + try_cast(split_part(t, ':', 2) as double));
create macro worded_seconds(t) as
    coalesce(try_cast(regexp_extract(t, '(?i)(\d+)\s*h', 1) as double), 0) * 3600
    + coalesce(try_cast(regexp_extract(t, '(?i)(\d+)\s*m', 1) as double), 0) * 60
    + coalesce(try_cast(regexp_extract(t, '(?i)([\d.]+)\s*s', 1) as double), 0);
create macro as_duration(t) as
    case
        when regexp_full_match(t, '[-+]?\d+(\.\d+)?') then try_cast(t as double)
        when regexp_full_match(t, '-?\d+:[0-5]?\d:[0-5]?\d(\.\d+)?') then epoch(try_cast(t as interval))
        when regexp_full_match(t, '-?\d+:[0-5]?\d(\.\d+)?') then minutes_and_seconds(t)
        when regexp_full_match(t, '(?i)(PT)?(\d+\s*h\w*\s*)?(\d+\s*m\w*\s*)?(\d+(\.\d+)?\s*s\w*)?') and regexp_matches(t, '\d') then worded_seconds(t)
    end;

-- Times. A time without a zone is local to `zone`: one that the clocks skip is read as if they had not been moved (an hour later on
-- the new clock), one that they show twice as the second of the two.
-- Only a text that is a time from end to end is read: a cast would pass over what it does not understand. DuckDB wants seconds before
-- an offset, and no blank.
create macro iso_local(t) as
    case when regexp_full_match(t, '\d{4}[-/]\d\d?[-/]\d\d?((T| +)\d\d?:\d\d(:\d\d(\.\d{1,9})?)?)?') then try_cast(t as timestamp) end;
create macro zone_of(t) as regexp_extract(t, '(?i)(Z|UTC|GMT|[-+](0\d|1[0-4])(:?[0-5]\d)?)$');
create macro without_zone(t) as rtrim(left(t, length(t) - length(zone_of(t))));
create macro iso_zoned(t) as
    case when zone_of(t) <> ''
        then try_cast(cast(iso_local(without_zone(t)) as varchar) || regexp_replace(zone_of(t), '[[:alpha:]]+', '+00') as timestamptz) end;
create macro epoch_instant(t, per_second) as try(to_timestamp(as_number(t) / per_second));
create macro plausible(instant) as case when instant between timestamptz '1970-01-01 00:00:00+00' and timestamptz '2200-01-01 00:00:00+00' then instant end;
-- 1 where the clocks of `zone` skip a local time, 2 where they show it twice, else 0.
create macro clock_change(local_time, zone) as
    case
        when timezone(zone, timezone(zone, local_time)) <> local_time then 1
        when timezone(zone, timezone(zone, local_time) - interval 1 hour) = local_time then 2
        else 0
    end;

-- JSON, member by member; a member without a value is left out.
create macro json_text(t) as cast(to_json(t) as varchar);
create macro json_number(n) as coalesce(cast(whole(n) as varchar), cast(n as varchar));
create macro as_json(t) as cast(try_cast(t as json) as varchar);
create macro member(name, value) as concat('"', name, '":') || value;
create macro object(members) as concat('{', members, '}');

create macro problem(source_column, cell_value, why) as {'column': source_column, 'value': left(cell_value, 200), 'reason': why};

-- The id of an event is made of its type and its key, so that the same row makes the same event in every file.
create macro event_id(type_name, key) as cast(cast(md5(concat(type_name, chr(31), key)) as uuid) as varchar);

-- A text that is a JSON object; null where it is anything else.
create macro valid_record(t) as case when json_valid(t) and json_type(t) = 'OBJECT' then cast(t as json) end;
