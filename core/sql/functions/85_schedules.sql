-- Schedules: what is due is dispatched under lock 42, as Pulp's workers do it in the same table: one session of the
-- installation at a time, so that no due time is served twice. Columns that an older Pulp lacks are read by way of JSON.

-- When a schedule is due after BEFORE, on its grid; NULL: it was a one-shot.
create or replace function pulp_worker.schedule_next(id uuid, due timestamptz, every interval, before timestamptz) returns timestamptz
language plpgsql stable as $$
declare
	c pulp_worker.cron;
	step constant bigint := (extract(epoch from every) * 1000000)::bigint;
	coming timestamptz;
begin
	select * into c from pulp_worker.cron where schedule = id;
	if found then
		coming := pulp_worker.cron_next(c, greatest(due, before));
		if coming is null then
			raise 'cron expression % never fires', quote_literal(c.expression) using errcode = '22023';
		end if;
		return coming;
	end if;
	if step <= 0 then
		raise 'its interval % is not a positive one', every using errcode = '22023';
	end if;
	return due + step * greatest((extract(epoch from before - due) * 1000000)::bigint / step + 1, 1) * interval '1 microsecond';
end $$;

-- Whether this schedule is ours to dispatch: alone all are; in a live Pulp those of modules that a worker of ours has brought.
create or replace function pulp_worker.schedule_ours(func text) returns boolean
language plpgsql stable as $$
begin
	return not pulp_worker.live_pulp() or exists (select from pulp_worker.module m where m.module = split_part(func, '.', 1));
end $$;

-- Dispatches the task of a schedule, in the schedule's domain. Its arguments are copied as they are: a token stays one.
create or replace function pulp_worker.schedule_task(s jsonb) returns uuid
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp as $$
declare
	id constant uuid := (s ->> 'pulp_id')::uuid;
	mine schedule;
begin
	select * into mine from schedule where schedule.schedule = id;
	return (dispatch_task(s ->> 'task_name', coalesce(nullif(s -> 'task_args', 'null'), '[]'),
		coalesce(nullif(s -> 'task_kwargs', 'null'), '{}'), null, mine.exclusive, mine.shared, false, true, null, null, null,
		sealed => not exists (select from options o where o.id = (s ->> 'pulp_id')::uuid and o.plain), home => (s ->> 'pulp_domain_id')::uuid)).pulp_id;
end $$;

-- One schedule that is due: 'dispatched' and the task, or 'skipped'; or NULL: somebody holds it, or it is not due any more.
create or replace function pulp_worker.serve_schedule(id uuid, moment timestamptz, out kind text, out task uuid)
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp as $$
declare
	s public.core_taskschedule;
	coming timestamptz;
begin
	select t.* into s from public.core_taskschedule t where t.pulp_id = id and t.next_dispatch <= moment for no key update skip locked;
	if not found then
		return;
	end if;
	if s.dispatch_interval is not null or exists (select from cron c where c.schedule = id) then
		coming := schedule_next(id, s.next_dispatch, s.dispatch_interval, moment);
	end if;
	kind := 'skipped';
	if s.next_dispatch >= moment - interval '1 minute' or not exists (select from cron c where c.schedule = id and c.missed = 'skip') then
		task := schedule_task(to_jsonb(s));
		kind := 'dispatched';
	end if;
	update public.core_taskschedule t set next_dispatch = coming, last_task_id = coalesce(task, t.last_task_id),
		pulp_last_updated = clock_timestamp() where t.pulp_id = id;
	update cron c set look_at = coming where c.schedule = id;
	update schedule m set failures = 0, retry_at = null, trouble = null where m.schedule = id and m.failures > 0;
end $$;

-- Could not be dispatched: tried again after 30 s, then twice as long each time, at most an hour. True: this is news.
create or replace function pulp_worker.schedule_failed(id uuid, reason text) returns boolean
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp as $$
declare
	known constant text := (select trouble from schedule where schedule.schedule = id);
begin
	insert into schedule as m (schedule, failures, retry_at, trouble)
	values (id, 1, clock_timestamp() + interval '30 s', reason)
	on conflict on constraint schedule_pkey do update set failures = m.failures + 1, trouble = reason,
		retry_at = clock_timestamp() + least(interval '1 hour', interval '30 s' * 2 ^ least(m.failures, 10));
	return known is distinct from reason;
end $$;

-- Crons that somebody dispatched as the one-shots that they look like go on.
create or replace function pulp_worker.rearm_crons(batch int) returns void
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp as $$
declare
	c cron;
	s public.core_taskschedule;
	coming timestamptz;
begin
	for c in select k.* from cron k where k.look_at <= clock_timestamp() order by k.look_at limit batch loop
		select t.* into s from public.core_taskschedule t where t.pulp_id = c.schedule;
		if not found then
			delete from schedule m where m.schedule = c.schedule;
			delete from options o where o.id = c.schedule;
			delete from cron k where k.schedule = c.schedule;
			continue;
		end if;
		coming := greatest(s.next_dispatch, clock_timestamp() + interval '10 s');
		if s.next_dispatch is null then
			coming := cron_next(c, clock_timestamp());
			update public.core_taskschedule t set next_dispatch = coming where t.pulp_id = (select u.pulp_id
				from public.core_taskschedule u where u.pulp_id = c.schedule and u.next_dispatch is null for no key update skip locked);
			if not found then
				coming := clock_timestamp() + interval '10 s';
			end if;
		end if;
		update cron k set look_at = coming where k.schedule = c.schedule;
	end loop;
end $$;

/*
 * Dispatches what is due, at most BATCH schedules, having looked at no more than 20 * BATCH that are due. One whose
 * last task has not ended waits for it; missed times are one. Rows that come back, by kind:
 *   dispatched  schedule, func, task, detail: its domain, cid: the task's correlation id
 *   skipped     schedule, func                 it was missed, and is not to be made up for
 *   failed      schedule, func, detail: why    said once; it is tried again later
 *   next        detail: in how many ms to call again: 0 there is more now; busy: another session has the lock; null nothing is coming
 */
create or replace function pulp_worker.dispatch_scheduled_tasks(batch int default 100)
returns table (kind text, schedule text, func text, task uuid, detail text, cid text)
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp
set jit = off set enable_seqscan = off set timezone = 'UTC' as $$
#variable_conflict use_column
declare
	moment constant timestamptz := clock_timestamp();
	live constant boolean := live_pulp();
	place jsonb;
	from_time timestamptz := '-infinity';
	from_id uuid := '00000000-0000-0000-0000-000000000000';
	due record;
	looked int := 0;
	served int := 0;
begin
	if exists (select from public.core_taskschedule s where s.next_dispatch <= moment)
	or exists (select from cron c where c.look_at <= moment) then
		if not pg_try_advisory_xact_lock(0, 42) then
			return query select 'next', null, null, null::uuid, 'busy', null;
			return;
		end if;
		select value::jsonb into place from setting where name = 'schedules_from';
		if place is not null then
			from_time := place ->> 'time';
			from_id := place ->> 'id';
		end if;
		for due in
			select s.pulp_id, s.name, s.next_dispatch, s.task_name, b.busy is true and (k.missed = 'skip'
					and s.next_dispatch < moment - interval '1 minute') is not true
				or m.retry_at > moment or live and not schedule_ours(s.task_name) as waits, to_jsonb(s) ->> 'pulp_domain_id' as domain
			from (select * from public.core_taskschedule t where t.next_dispatch <= moment
					and (t.next_dispatch, t.pulp_id) > (from_time, from_id)
				order by t.next_dispatch, t.pulp_id limit batch * 20) s
			left join pulp_worker.schedule m on m.schedule = s.pulp_id
			left join cron k on k.schedule = s.pulp_id
			left join lateral (select true as busy from public.core_task t where t.pulp_id = s.last_task_id
				and t.state in ('waiting', 'running', 'canceling') limit 1) b on true
			order by s.next_dispatch, s.pulp_id
		loop
			looked := looked + 1;
			continue when due.waits is true;
			served := served + 1;
			begin
				select v.kind, v.task into kind, task from serve_schedule(due.pulp_id, moment) v;
				detail := (select d.name from public.core_domain d where d.pulp_id = due.domain::uuid);
				cid := (select t.logging_cid from public.core_task t where t.pulp_id = task);
			exception when others then
				if sqlstate ~ '^(40|53|57)' then
					raise;	-- the database's trouble, not the schedule's
				end if;
				kind := case when schedule_failed(due.pulp_id, left(sqlerrm, 500)) then 'failed' end;
				task := null;
				cid := null;
				detail := left(sqlerrm, 500);
			end;
			if kind is not null then
				schedule := due.name;
				func := due.task_name;
				return next;
			end if;
			exit when served >= batch;
		end loop;
		-- where more is due than one call looks at, the next one goes on from here
		if served >= batch or looked >= batch * 20 then
			insert into setting (name, value) values ('schedules_from', jsonb_build_object('time', due.next_dispatch, 'id', due.pulp_id)::text)
			on conflict on constraint setting_pkey do update set value = excluded.value;
			return query select 'next', null, null, null::uuid, '0', null;
			return;
		elsif place is not null then
			delete from setting where name = 'schedules_from';
		end if;
		perform rearm_crons(batch);
	end if;
	return query select 'next', null, null, null::uuid, ceil(extract(epoch from least(
			(select s.next_dispatch from public.core_taskschedule s where s.next_dispatch > moment order by s.next_dispatch limit 1),
			(select c.look_at from cron c where c.look_at > moment order by c.look_at limit 1)) - clock_timestamp()) * 1000)::bigint::text, null;
end $$;
