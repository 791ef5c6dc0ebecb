"""What DAG files share: params, policy, hooks from connections, operators and the backfill factory."""
