-- What a guest knows of why a task does not run, from Pulp's own tables: for why_facts.

-- A worker's row says which labels it has. The module of the task is taken to be with whoever has the last label that it names.
create or replace function pulp_worker.why_workers(func text, versions jsonb) returns jsonb
language plpgsql stable set search_path = pulp_worker, pg_catalog, public, pg_temp as $$
begin
	return coalesce((select jsonb_agg(jsonb_build_object('name', a.name,
			-- Python's run one at a time; how many another does, its row does not say
			'slots', r.running + case when r.running = 0 or not public.exist(a.versions, 'core') then 1 else 0 end,
			'running', r.running,
			'alive', a.last_heartbeat >= now() - a.ttl,
			'modules', (select coalesce(jsonb_object_agg(case when l.key = o.label then split_part(func, '.', 1) else l.key end,
					jsonb_build_object('label', l.key, 'version', l.value)), '{}')
				from public.each(a.versions) l
				left join (select max(k) as label from jsonb_object_keys(why_workers.versions) k) o on true)) order by a.name)
		from public.core_appstatus a
		cross join lateral (select count(*) as running from public.core_task c where c.app_lock_id = a.pulp_id) r
		where a.app_type = 'worker'), '[]');
end $$;

create or replace function pulp_worker.why_blocked(task_id uuid) returns jsonb
language plpgsql stable set search_path = pulp_worker, pg_catalog, public, pg_temp as $$
declare
	t public.core_task;
	mine record;
	holder record;
	ahead bigint;
begin
	select * into t from public.core_task where pulp_id = task_id;
	for mine in select case when e like 'shared:%' then substr(e, 8) else e end as name, bool_or(e not like 'shared:%') as exclusive
		from unnest(t.reserved_resources_record) e where e is not null group by 1
	loop
		select q.pulp_id, q.name, q.state, mine.name = any (q.reserved_resources_record) as exclusive into holder
		from public.core_task q
		where q.state in ('waiting', 'running', 'canceling') and (q.pulp_created, q.pulp_id) < (t.pulp_created, t.pulp_id)
		and (mine.name = any (q.reserved_resources_record) or mine.exclusive and ('shared:' || mine.name) = any (q.reserved_resources_record))
		order by q.pulp_created, q.pulp_id limit 1;
		if found then
			select count(*) into ahead from (select from public.core_task q
				where q.state in ('waiting', 'running', 'canceling') and (q.pulp_created, q.pulp_id) < (t.pulp_created, t.pulp_id)
				and (mine.name = any (q.reserved_resources_record)
					or mine.exclusive and ('shared:' || mine.name) = any (q.reserved_resources_record)) limit 100000) x;
			return jsonb_build_object('resource', mine.name, 'exclusive', mine.exclusive, 'ahead', ahead,
				'holder', jsonb_build_object('pulp_id', holder.pulp_id, 'name', holder.name, 'state', holder.state,
					'exclusive', holder.exclusive));
		end if;
	end loop;
	return null;
end $$;
