"""What benches are made of.

A bench is a module `bench/NAME.py` with a click command of the same name that returns its figures, flat:

    @click.command()
    @click.option("--jobs", type=click.IntRange(1), default=2_000, show_default=True, help="How many jobs.")
    def example(jobs: int) -> Figures:
        # A docstring: what is measured, in one line; then how, and what it is compared with.
        with sites.site() as here, here.running("work", "recorder"):
            seconds = timing.interleaved(3, {"ours": lambda: ..., "plain": lambda: ...})
        return {"jobs": jobs, "ratio": round(median(seconds["plain"]) / median(seconds["ours"]), 2)}

`celeriac bench` finds it, adds `--json`, prints environment and figures. Describe it, its options and its figures in
docs/reference/cli.md; a test looks. What is imported at the top of a bench is imported when it is run, no sooner.

- `sites.site(database="sqlite" | "postgresql")`: a Valkey and a migrated database of its own in a temporary directory,
  in force in this process (`db.reading()`, `redis.client()` and services just work) and in what the site starts.
  `here.start("work", "--workers", "4")` starts a command of ours and returns when it is ready, `here.stop(process)`
  ends it, `here.running("web", "work", …)` does both; `here.celeriac("dispatch", …)` runs one to its end. Pages are
  at `here.url`. All that still runs is ended with the site. `here.log("work")` is what it said.
- `jobs.dispatch("demo.noop", {}, 2_000)` gives ids; `jobs.wait_stored(2_000)` waits until so many are COMPLETED in the
  database (in all: count what was there before), `jobs.counts()` looks.
- `ups.up(data)`: a whole `celeriac up` instead; `running.url`, `running.password`, `running.process`.
- `web.signed_in(url, password)`: a session over HTTP; `web.browser()`: a headless Chromium.
- `servers.valkey()`, `servers.postgresql()`: a server alone, for a peer or a limit. PostgreSQL is durable here.
- `timing.interleaved`, `timing.percentile`, `timing.timed`; `statistics.median`.
- `machine.describe()` is printed for you; `machine.pss_mb(pids)`, `machine.cpu_s(pids)`, `machine.tree(pid)`.
- `timing.note("…")` tells people how far it is, on standard error.

Peers that are not installed with Celeriac (Flower, RedBeat, …) belong in an environment that the bench makes, with
`environment.with_packages("flower==2.2")`, which gives the path of its Python.
"""
