-- A guest: a session at a live Pulp where our schema is not installed. It has the functions of our schema for itself, in
-- pg_temp, and changes nothing that others see but by the guarded statements of these functions. What they keep in our tables
-- is kept here for the session, or not at all; who may run and what is claimed follows the original's algorithms (20, 30).
create or replace function pulp_worker.keep_nothing() returns trigger
language plpgsql as $$
begin
	return null;
end $$;
create or replace function pulp_worker.forget_requests() returns trigger
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp as $$
begin
	delete from request r where r.task <> new.task
	and not exists (select from public.core_task t where t.pulp_id = r.task and t.state in ('running', 'canceling'));
	return new;
end $$;

do $$
begin
	if to_regclass('pulp_worker.options') is not null then
		return;
	end if;

	create temp table options (id uuid primary key, plain boolean not null);
	create temp table worker (id uuid primary key, name text, host text, pid int, slots int);
	create temp table worker_module (worker uuid, module text, label text, version text, version_key text);
	create temp table module (module text primary key, label text not null);
	create temp table log (task uuid, part int, at timestamptz, text text);
	create temp table bad (task uuid primary key, why text);
	create temp table cron (schedule uuid, expression text, time_zone text, missed text);
	create temp table schedule (schedule uuid, exclusive text[], shared text[], failures int, retry_at timestamptz, trouble text);
	-- never filled: nothing is listed as ready, and so no number rises
	create temp table ready (requirement int, number bigint, task uuid);
	create temp sequence ready_number;

	-- Each distinct demand of ready tasks, as the session met them.
	create temp table requirement (
		id int generated always as identity primary key,
		key uuid not null unique,
		module text not null,
		versions jsonb not null,
		immediate boolean not null
	);

	-- Whether a task is settled: all that a pass of this transaction saw are.
	create temp view reservation as
		select pulp_id as task from public.core_task
		where current_setting('pulp_worker.passed', true) = pg_current_xact_id_if_assigned()::text;

	create temp table attempt (task uuid primary key, worker text, kind text, remains int, max_rss_kb bigint, cpu_ms bigint);
	create trigger keep_nothing before insert on attempt for each row execute function pulp_worker.keep_nothing();

	-- Answers to requests of running tasks; those of tasks that have ended go with the next.
	create temp table request (task uuid, number bigint, ok boolean, reply text, primary key (task, number));
	create trigger forget_requests before insert on request for each row execute function pulp_worker.forget_requests();
end $$;
