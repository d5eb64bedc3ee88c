-- What people do with schedules: add, remove, run now. Names are unique in a domain; those that are made here belong to the default one.

/*
 * Adds a schedule; its id. One of these says when: EVERY (the first time at AT, or at once), AT alone, or CRON: an object with
 * the columns of pulp_worker.cron from the expression to "either". A live Pulp's table may lack the later columns.
 */
create or replace function pulp_worker.add_schedule(schedule_name text, func text, args jsonb default '[]', kwargs jsonb default '{}',
	every interval default null, at timestamptz default null, cron jsonb default null, exclusive_resources text[] default '{}',
	shared_resources text[] default '{}', sealed boolean default false) returns uuid
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp as $$
declare
	id constant uuid := uuid7();
	add_id constant uuid := id;
	moment constant timestamptz := clock_timestamp();
	home constant uuid := (select d.pulp_id from public.core_domain d where d.name = 'default');
	due timestamptz := coalesce(at, moment);
	c cron;
begin
	if coalesce(schedule_name, '') = '' then
		raise 'a schedule needs a name' using errcode = '22023';
	end if;
	if func is null or func !~ '^[^.\s]+(\.[^.\s]+)+$' then
		raise 'function name % has no dot: it is <module>.<name>', quote_nullable(left(func, 100)) using errcode = '22023';
	end if;
	if jsonb_typeof(args) is distinct from 'array' or jsonb_typeof(kwargs) is distinct from 'object' then
		raise 'args must be a JSON array, and kwargs a JSON object' using errcode = '22023';
	end if;
	if (args <> '[]' or kwargs <> '{}') and not exists (select from pg_attribute a
		where a.attrelid = 'public.core_taskschedule'::regclass and a.attname = 'task_args' and not a.attisdropped)
	then
		raise 'schedules of a Pulp before 3.110 have no arguments' using errcode = '0A000';
	end if;
	if not coalesce(sealed, false) and (args <> '[]' or kwargs <> '{}') then
		if live_pulp() then
			raise 'the arguments of a schedule of a live Pulp must be encrypted, and here is no key: add it with pulp-task, which has one where db_encryption_key names it'
				using errcode = '0A000';
		end if;
		insert into options select add_id, true;
	end if;
	if every is not null and extract(epoch from every) < 1 then
		raise 'an interval of less than a second is none' using errcode = '22023';
	end if;
	if not isfinite(due) or every is null and cron is null and due < moment - interval '1 minute' then
		raise 'the time % has passed', at using errcode = '22023';
	end if;
	if cron is not null then
		c := jsonb_populate_record(null::cron, cron || jsonb_build_object('schedule', id));
		c.time_zone := coalesce((select z.name from pg_timezone_names z where lower(z.name) = lower(c.time_zone) limit 1), '');
		if c.time_zone = '' then
			raise 'there is no time zone %', quote_nullable(left(cron ->> 'time_zone', 60)) using errcode = '22023';
		end if;
		due := cron_next(c, moment);
		if due is null then
			raise 'the cron expression % never fires', quote_literal(c.expression) using errcode = '22023';
		end if;
		c.look_at := due;
		insert into cron select c.*;
	end if;
	perform resources_record(exclusive_resources, shared_resources, home);	-- says what is wrong with them
	if exists (select from public.core_taskschedule s where s.name = schedule_name
		and coalesce((to_jsonb(s) ->> 'pulp_domain_id')::uuid, home) = home)
	then
		raise 'there is a schedule % already', quote_literal(schedule_name) using errcode = '22023';
	end if;
	insert into public.core_taskschedule
	select * from jsonb_populate_record(null::public.core_taskschedule, jsonb_build_object(
		'pulp_id', id, 'pulp_created', moment, 'pulp_last_updated', moment, 'name', schedule_name, 'next_dispatch', due,
		'dispatch_interval', every, 'task_name', func, 'task_args', args, 'task_kwargs', kwargs, 'pulp_domain_id', home));
	insert into schedule (schedule, exclusive, shared)
	values (id, coalesce(exclusive_resources, '{}'), coalesce(shared_resources, '{}'));
	return id;
end $$;

-- The one that is meant: by its id, else by its name, in the default domain first.
create or replace function pulp_worker.find_schedule(which text) returns uuid
language plpgsql stable set search_path = pulp_worker, pg_catalog, public, pg_temp as $$
declare
	id constant uuid := (select s.pulp_id from public.core_taskschedule s
		left join public.core_domain d on d.pulp_id = (to_jsonb(s) ->> 'pulp_domain_id')::uuid
		where s.name = which or s.pulp_id::text = lower(which)
		order by s.name = which desc, d.name = 'default' desc nulls last, d.name limit 1);
begin
	if id is null then
		raise 'there is no schedule %', quote_literal(left(which, 100)) using errcode = 'P0002';
	end if;
	return id;
end $$;

-- Its tasks stay. Under lock 42, so that nobody who is just dispatching it writes its row again.
create or replace function pulp_worker.remove_schedule(which text) returns uuid
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp as $$
declare
	gone constant uuid := find_schedule(which);
	id constant uuid := gone;
	roles text;
begin
	perform pg_advisory_xact_lock(0, 42);
	foreach roles in array array['core_userrole', 'core_grouprole'] loop
		if to_regclass('public.' || roles) is not null then
			execute format('delete from public.%I r using public.django_content_type k where k.id = r.content_type_id
				and k.app_label = ''core'' and k.model = ''taskschedule'' and r.object_id = $1', roles) using id::text;
		end if;
	end loop;
	delete from public.core_taskschedule s where s.pulp_id = id;
	delete from cron c where c.schedule = id;
	delete from schedule m where m.schedule = id;
	delete from options o where o.id = gone;
	return id;
end $$;

-- Dispatches its task now, out of turn: when it is due next stays as it is. The task's id.
create or replace function pulp_worker.run_schedule(which text) returns uuid
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp as $$
declare
	id constant uuid := find_schedule(which);
	s public.core_taskschedule;
	task uuid;
begin
	select t.* into s from public.core_taskschedule t where t.pulp_id = id for no key update;
	if not found then
		raise 'there is no schedule %', quote_literal(left(which, 100)) using errcode = 'P0002';
	end if;
	if not schedule_ours(s.task_name) then
		raise 'the function % is Pulp''s: only Pulp''s own workers can dispatch it', s.task_name using errcode = '22023';
	end if;
	task := schedule_task(to_jsonb(s));
	update public.core_taskschedule t set last_task_id = task where t.pulp_id = id;
	update schedule m set failures = 0, retry_at = null, trouble = null where m.schedule = id and m.failures > 0;
	return task;
end $$;
