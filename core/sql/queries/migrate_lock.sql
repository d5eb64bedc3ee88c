-- One program at a time changes the schema.
select set_config('lock_timeout', '60s', false), pg_advisory_lock(1886743664, 1)
