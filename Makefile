# The names of what is done often. `make help` lists them.
BENCHES = $(filter-out __init__,$(basename $(notdir $(wildcard bench/*.py))))
PY = .venv/bin/python -P -m
LOCK = uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

help:            ## List these names
	@sed -n 's/^\([a-z]*\): *## */\1	/p' $(MAKEFILE_LIST) | expand -t 12

run:             ## Start everything, with demo data
	./celeriac up --demo

test:            ## Run all tests
	./celeriac test

check:           ## Linters, import contracts, type check: what CI runs
	.ci/check

bench:           ## Run every bench, one after the other
	for name in $(BENCHES); do ./celeriac bench $$name || exit 1; done

lock:            ## Resolve the requirements anew, within the bounds of pyproject.toml
	$(LOCK) --output-file requirements/base.txt
	$(LOCK) --group test --group check --constraint requirements/base.txt --output-file requirements/dev.txt
	echo uv | uv pip compile - --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--no-annotate --output-file requirements/uv.txt

wheel:           ## Build dist/*.whl
	uv build --wheel

.PHONY: help run test check bench lock wheel
