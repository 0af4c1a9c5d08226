"""What is tested of matrices on disk: nothing where there are no POSIX locks, since there they are refused."""

import importlib.util

collect_ignore_glob = ["test_output*.py", "test_shards*.py"] if importlib.util.find_spec("fcntl") is None else []
