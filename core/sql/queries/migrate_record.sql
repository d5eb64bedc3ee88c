insert into pulp_worker.migration (number, name) values ($1::int, $2) on conflict (number) do nothing
