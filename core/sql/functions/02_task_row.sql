-- core_task's columns in a fixed order, whatever the table looks like in this Pulp. Not made anew as the functions are: what others
-- built on it would hold it.
do $$
begin
	if to_regtype('pulp_worker.task_row') is null then
		create type pulp_worker.task_row as (
			pulp_id uuid,
			pulp_created timestamptz,
			pulp_last_updated timestamptz,
			state text,
			name text,
			logging_cid text,
			unblocked_at timestamptz,
			started_at timestamptz,
			finished_at timestamptz,
			error jsonb,
			app_lock_id uuid,
			parent_task_id uuid,
			task_group_id uuid,
			reserved_resources_record text[],
			pulp_domain_id uuid,
			versions jsonb,
			profile_options text[],
			immediate boolean,
			deferred boolean,
			result jsonb,
			pulp_api_version text
		);
	end if;
end $$;
