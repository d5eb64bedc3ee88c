-- What a task carries besides Pulp's columns. Few have a row: what is not here is as Pulp has it.
create table pulp_worker.options (
	id uuid primary key,		-- of a task or a schedule
	plain boolean not null		-- its arguments were stored as plain JSON, by somebody who had no key
);
