"""What DAG files share: defaults, connections, tasks, operators, callbacks, set-up, and the pages (web)."""
