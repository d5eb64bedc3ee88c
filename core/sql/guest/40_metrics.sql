-- The gauges of a guest, counted in Pulp's own table. Which of several guests measures is settled by a lock of their own, held by
-- the session of who does it.
create or replace function pulp_worker.publish_metrics(me uuid, every interval, known int[], floors bigint[],
	out outcome text, out host text, out period double precision, out waiting bigint, out oldest double precision, out measured numeric)
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp as $$
begin
	if not pg_try_advisory_xact_lock(0, 74) then
		outcome := 'busy';
	elsif not exists (select from pg_locks where locktype = 'advisory' and classid = 1886743664 and objid = 74 and pid = pg_backend_pid()
			and database = (select oid from pg_database where datname = current_database()))
	and not pg_try_advisory_lock(1886743664, 74) then
		outcome := 'other';
		period := extract(epoch from every);
	else
		outcome := 'publish';
		measured := round(extract(epoch from clock_timestamp())::numeric, 3);
		select count(*) filter (where t.unblocked_at < clock_timestamp() - interval '5 s'),
			coalesce(greatest(extract(epoch from clock_timestamp() - min(t.unblocked_at)), 0), 0)
		into waiting, oldest
		from public.core_task t where t.state = 'waiting' and t.unblocked_at is not null and t.app_lock_id is null;
	end if;
end $$;
