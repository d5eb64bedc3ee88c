select pg_advisory_unlock(1886743664, 1), set_config('lock_timeout', '0', false)
