-- Cancels the waiting and running members of a group; how many they were.
select pulp_worker.cancel_task_group($1::uuid) as canceled
