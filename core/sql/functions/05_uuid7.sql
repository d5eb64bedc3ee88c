-- A UUIDv7: time-ordered, so that new rows go to the end of the primary key. Without settings, so that it is inlined.
create or replace function pulp_worker.uuid7() returns uuid
language sql volatile as $$
	select encode(set_byte(overlay(uuid_send(gen_random_uuid())
		placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6),
		6, 112 + (random() * 15.99)::int % 16), 'hex')::uuid
$$;
