"""How a kernel is called: plans, workspaces, threads, forks."""
