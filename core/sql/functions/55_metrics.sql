-- The gauges that the original publishes, measured by one worker of the installation at a time.

-- Where in a requirement's list those begin that became ready after MOMENT, between LOW and HIGH. A search by halves: numbers
-- are drawn in the order in which tasks become ready.
create or replace function pulp_worker.ready_after(wanted int, low bigint, high bigint, moment timestamptz) returns bigint
language plpgsql as $$
declare
	middle bigint;
	probe record;
begin
	while low < high loop
		middle := low + (high - low) / 2;
		select y.number, t.unblocked_at into probe
		from (select y.number, y.task from pulp_worker.ready y where y.requirement = wanted and y.number >= middle order by y.number offset 0) y
		cross join lateral (select unblocked_at from public.core_task where pulp_id = y.task offset 0) t
		where t.unblocked_at is not null order by y.number limit 1;
		if probe.number is null or probe.number >= high or probe.unblocked_at > moment then
			high := middle;
		else
			low := probe.number + 1;
		end if;
	end loop;
	return low;
end $$;

/*
 * WAITING: how many tasks have been ready for at least 5 s and were not claimed; OLDEST: for how many seconds the oldest ready
 * one has been (0: there is none). They are counted one by one up to MOST; a longer list is as long as PostgreSQL's own
 * statistics say, so that the cost has a bound. FLOORS: as for iter_tasks, of the requirements KNOWN; others are at 0.
 */
create or replace function pulp_worker.measure_tasks(known int[], floors bigint[], most int, out waiting bigint, out oldest double precision)
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp
set jit = off set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan as $$
declare
	last constant bigint := (select last_value + 1 from pulp_worker.ready_number);
	first timestamptz;
	q record;
	head record;
	recent bigint;		-- what is from here on is not old enough
	counted bigint;
begin
	waiting := 0;
	for q in select r.id, coalesce((select max(k.low) from unnest(known, floors) k (id, low) where k.id = r.id), 0) as low
		from requirement r where r.id <> 0
	loop
		select y.number, t.unblocked_at into head
		from (select y.number, y.task from ready y where y.requirement = q.id and y.number >= q.low order by y.number offset 0) y
		cross join lateral (select state, unblocked_at from public.core_task where pulp_id = y.task offset 0) t
		where t.state = 'waiting' and t.unblocked_at is not null order by y.number limit 1;
		continue when head.number is null;
		first := least(first, head.unblocked_at);
		continue when waiting >= most;
		recent := pulp_worker.ready_after(q.id, head.number, last, clock_timestamp() - interval '5 s');
		select count(*) into counted from (select from ready y where y.requirement = q.id and y.number >= head.number
			and y.number < recent limit most - waiting) c;
		waiting := waiting + counted;
	end loop;
	if waiting >= most then
		waiting := greatest(waiting, pg_stat_get_live_tuples('pulp_worker.ready'::regclass));
	end if;
	oldest := greatest(extract(epoch from clock_timestamp() - first), 0);
	oldest := coalesce(oldest, 0);
end $$;

/*
 * Measures, if it is for this worker to do: lock 74, as in the original. Who has begun goes on, so that the figures stay in one
 * place, until he has not measured for two of his own intervals or is known to be gone. Pulp's own workers publish
 * theirs beside, by OpenTelemetry: they are told nothing, and the lock is held for this transaction alone.
 * OUTCOME: publish; other (HOST and PERIOD in seconds: of the worker that does it); busy (somebody measures just now: ask again).
 */
create or replace function pulp_worker.publish_metrics(me uuid, every interval, known int[], floors bigint[],
	out outcome text, out host text, out period double precision, out waiting bigint, out oldest double precision, out measured numeric)
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp as $$
declare
	other jsonb;
begin
	if not pg_try_advisory_xact_lock(0, 74) then
		outcome := 'busy';
		return;
	end if;
	select value::jsonb into other from setting where name = 'metrics';
	if other ->> 'worker' <> me::text
	and to_timestamp((other ->> 'measured')::double precision) + (other ->> 'every')::interval * 2 > clock_timestamp() then
		select w.host into host from worker w join public.core_appstatus a on a.pulp_id = w.id
		where w.id = (other ->> 'worker')::uuid and a.last_heartbeat >= now() - a.ttl;
		if found then
			outcome := 'other';
			period := extract(epoch from (other ->> 'every')::interval);
			return;
		end if;
	end if;
	outcome := 'publish';
	measured := round(extract(epoch from clock_timestamp())::numeric, 3);
	select m.waiting, m.oldest into waiting, oldest from pulp_worker.measure_tasks(known, floors, 10000) m;
	insert into setting (name, value) values ('metrics', jsonb_build_object('worker', me, 'measured', measured, 'every', every)::text)
	on conflict on constraint setting_pkey do update set value = excluded.value;
end $$;
