"""The measurements that the README quotes, each one command; `bench.frame` says how to add one."""
