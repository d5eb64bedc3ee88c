-- The triggers come and nothing is overlooked: tasks change before or after, not meanwhile.
lock table public.core_task in share row exclusive mode
