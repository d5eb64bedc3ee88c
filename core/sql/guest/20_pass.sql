-- Who may run, at a live Pulp: the original's pass, as one statement. In place of our own, which reads what our triggers noted.

/*
 * The walk over all incomplete tasks in the order of pulp_created gives a waiting task its turn when nothing that conflicts
 * stands before it, ready or not: an exclusive name when nobody before has the name, a shared one when nobody before has it
 * exclusively. So of each name only two positions count, that of its first holder and that of its first exclusive one.
 * Under lock (0, 84). A row that somebody's open transaction holds is left for the next pass: MORE.
 */
create or replace function pulp_worker.pass(max_notes int, out marked int, out listed int, out more boolean)
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp
set jit = off as $$
declare
	ids uuid[];
begin
	perform set_config('pulp_worker.passed', pg_current_xact_id()::text, true);
	marked := 0;
	listed := 0;
	more := false;
	if (select true from public.core_task where state in ('waiting', 'running', 'canceling') and unblocked_at is null limit 1) is not true then
		return;
	end if;
	with task as materialized (
		select pulp_id, state, unblocked_at is null as blocked, reserved_resources_record as record,
			row_number() over (order by pulp_created, pulp_id) as position
		from public.core_task where state in ('waiting', 'running', 'canceling')),
	entry as materialized (
		select t.pulp_id, t.position, t.blocked and t.state = 'waiting' as asks, e not like 'shared:%' as exclusive,
			case when e like 'shared:%' then substr(e, 8) else e end as name
		from task t cross join unnest(t.record) e where e is not null),
	first as materialized (
		select name, min(position) as holder, min(position) filter (where exclusive) as exclusive_holder from entry group by name),
	waits as materialized (
		select distinct e.pulp_id from entry e join first f on f.name = e.name
		where e.asks and case when e.exclusive then f.holder else f.exclusive_holder end < e.position)
	select array_agg(t.pulp_id) into ids from task t left join waits w on w.pulp_id = t.pulp_id
	where t.blocked and (t.state <> 'waiting' or w.pulp_id is null);
	if ids is null then
		return;
	end if;
	with k as materialized (
		select pulp_id from public.core_task where pulp_id = any (ids) and unblocked_at is null
		and state in ('waiting', 'running', 'canceling') for no key update skip locked)
	update public.core_task t set unblocked_at = clock_timestamp() from k where t.pulp_id = k.pulp_id;
	get diagnostics marked = row_count;
	listed := marked;
	more := marked < cardinality(ids) and (select true from public.core_task where pulp_id = any (ids) and unblocked_at is null
		and state in ('waiting', 'running', 'canceling') limit 1) is true;
end $$;

-- As in the schema: (null, null) where another session holds the lock.
create or replace function pulp_worker.unblock_tasks(out marked int, out more boolean)
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp as $$
begin
	if pg_try_advisory_xact_lock(0, 84) then
		select p.marked, p.more into marked, more from pulp_worker.pass(1000) p;
		if marked > 0 then
			perform pg_notify('pulp_worker_wakeup', 'handle');
		end if;
	end if;
end $$;
