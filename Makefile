.DEFAULT_GOAL := help
.PHONY: help demo test check matrix bench lint docs

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

demo: ## show the main job with a real engine; installs what is missing
	@tests/testbed/demo

test: ## run every check and every test on real engines; installs what is missing
	@setpriv --pdeathsig KILL tests/testbed/test

check: ## run what needs no engine, for every save: lint, types, documentation, unit and CLI tests
	@tests/testbed/check

matrix: ## run the tests on the engines of four releases of Debian, and write docs/compatibility.md; installs what is missing
	@setpriv --pdeathsig KILL tests/testbed/matrix

bench: ## compare with the engines' own programs and skopeo, and write docs/benchmarks.md; installs what is missing
	@setpriv --pdeathsig KILL tests/testbed/bench

lint: ## run the checks that need no engine
	@tests/testbed/lint

docs: ## make the documentation a site, in docs/_site; a link that leads nowhere is an error
	@tests/testbed/docs
