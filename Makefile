# VENV=path   where the virtual environment goes (default .venv)
# PYTHON=path which Python 3.11-3.13 makes it (default: the first one found)
export VENV PYTHON

.DEFAULT_GOAL := help
.PHONY: studio test bench install clean help

no_display := $(if $(DISPLAY)$(WAYLAND_DISPLAY),,--xvfb)

studio: ## Open the studio on the demo, training; with no display, make a tour in out/tour
	@bash setup/system.sh $(no_display)
	@bash setup/environment.sh
	@bash setup/studio.sh

test: ## Run style checks, import rules and all tests, under a virtual display; ARGS= goes to pytest
	@bash setup/system.sh --xvfb
	@bash setup/environment.sh test
	@bash setup/test.sh $(ARGS)

bench: ## Measure training speed and the window's response
	@bash setup/system.sh $(no_display)
	@bash setup/environment.sh test
	@bash setup/bench.sh

install: ## Make the virtual environment only: .venv/bin/poseaug and .venv/bin/poseaug-studio
	@bash setup/system.sh
	@bash setup/environment.sh

clean: ## Remove the virtual environment, caches and builds; runs and out stay
	rm -rf .venv build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find poseaug_core poseaug_studio tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## Show this list
	@sed -n 's/^\([a-z]*\): ## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16
	@sed -n 's/^# \([A-Z]*=.*\)/     \1/p' $(MAKEFILE_LIST)
