-- What every session may rely on, in one round trip. search_path, time-outs and
-- read-only defaults stay as the server's administrator set them for this role.
select set_config('default_transaction_isolation', 'read committed', false),
       set_config('DateStyle', 'ISO', false),
       set_config('IntervalStyle', 'postgres', false),
       set_config('TimeZone', 'UTC', false),
       set_config('bytea_output', 'hex', false),
       set_config('standard_conforming_strings', 'on', false),
       set_config('jit', 'off', false),
       -- A client that is stopped or unreachable must not hold row locks for ever.
       set_config('idle_in_transaction_session_timeout', '60s', false),
       case when current_setting('server_version_num')::int >= 140000 and version() ~* 'linux'
            then set_config('client_connection_check_interval', '10s', false) end,
       -- The server's side of a connection that died: keepalives alone do not find one with data on its way.
       case when inet_server_addr() is not null then set_config('tcp_keepalives_idle', '10', false) end,
       case when inet_server_addr() is not null then set_config('tcp_keepalives_interval', '5', false) end,
       case when inet_server_addr() is not null then set_config('tcp_keepalives_count', '3', false) end,
       case when inet_server_addr() is not null then set_config('tcp_user_timeout', '15s', false) end
