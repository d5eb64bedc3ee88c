-- What stands in this database, one row; reads nothing but the catalogue, so that it needs no privilege of ours.
-- fault: why this Pulp is none that we can work beside. The columns are those that we write (! = must be there); 3.91 gave
-- exports a domain.
with columns as (
	select t.name as table_name, trim(leading '!' from c) as name, c like '!%' as needed
	from (values
		('core_task', '!pulp_id !pulp_created !pulp_last_updated !state !name !logging_cid !unblocked_at !started_at !finished_at '
			'!error !enc_args !enc_kwargs !app_lock_id !parent_task_id !task_group_id !reserved_resources_record !pulp_domain_id '
			'!versions !profile_options !immediate !deferred !result pulp_api_version'),
		('core_appstatus', '!pulp_id !pulp_created !pulp_last_updated !app_type !name !versions !ttl !last_heartbeat'),
		('core_taskgroup', '!pulp_id !pulp_created !pulp_last_updated !description !all_tasks_dispatched !pulp_domain_id'),
		('core_progressreport', '!pulp_id !pulp_created !pulp_last_updated !message !code !state !total !done !suffix !task_id'),
		('core_groupprogressreport', '!pulp_id !pulp_created !pulp_last_updated !message !code !total !done !suffix !task_group_id'),
		('core_createdresource', '!pulp_id !pulp_created !pulp_last_updated !content_type_id !object_id !task_id'),
		('core_taskschedule', '!pulp_id !pulp_created !pulp_last_updated !name !next_dispatch !dispatch_interval !task_name '
			'task_args task_kwargs !last_task_id pulp_domain_id'),
		('core_domain', '!pulp_id !name')) t (name, columns)
	cross join regexp_split_to_table(t.columns, ' ') c),
there as (
	select k.relname as table_name, a.attname as name, a.attnotnull and not a.atthasdef and a.attidentity = '' as must
	from pg_class k join pg_attribute a on a.attrelid = k.oid and a.attnum > 0 and not a.attisdropped
	where k.relnamespace = 'public'::regnamespace and k.relkind in ('r', 'p'))
select case when to_regclass('public.django_migrations') is not null and to_regclass('public.core_task') is not null
	then coalesce(
		(select 'it is older than pulpcore 3.91' from there where table_name = 'core_task' and name = 'worker_id'
			or table_name = 'core_export' and not exists (select from there where table_name = 'core_export' and name = 'pulp_domain_id')
			limit 1),
		(select format('it is older than pulpcore 3.91, or its migration has not ended: %s.%s is missing', c.table_name, c.name)
			from columns c where c.needed and not exists (select from there h where h.table_name = c.table_name and h.name = c.name)
			order by 1 limit 1),
		(select format('it is newer than this program knows: %s.%s must be given', h.table_name, h.name) from there h
			where h.must and h.table_name in (select table_name from columns) and h.table_name <> 'core_domain'
			and not exists (select from columns c where c.table_name = h.table_name and c.name = h.name)
			order by 1 limit 1)) end as fault,
       current_setting('server_version') as server_version,
       current_setting('server_version_num')::int as server_version_num,
       pg_is_in_recovery() as standby,
       current_setting('transaction_read_only')::bool as read_only,
       current_user as role,
       current_database() as database,
       exists (select from pg_class where relname = 'core_task' and relnamespace = 'public'::regnamespace) as contract,
       exists (select from pg_class where relname = 'django_migrations' and relnamespace = 'public'::regnamespace) as django,
       exists (select from pg_namespace where nspname = 'pulp_worker') as schema,
       (select count(*) = 2 from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'pulp_worker' and c.relname in ('migration', 'setting') and c.relkind = 'r') as ours,
       coalesce((select pg_has_role(nspowner, 'USAGE') from pg_namespace where nspname = 'pulp_worker'), true) as owner,
       (select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'hstore') as hstore_schema,
       exists (select from pg_available_extensions where name = 'hstore') as hstore_available,
       has_database_privilege(current_database(), 'CREATE') as may_create,
       has_schema_privilege('public', 'CREATE') as may_create_public,
       has_database_privilege(current_database(), 'TEMPORARY') as may_create_temporary,
       coalesce((select has_table_privilege(c.oid, 'TRIGGER') from pg_class c
                 where relname = 'core_task' and relnamespace = 'public'::regnamespace), true) as may_trigger
