# Two commands to begin with: `make demo` and `make test`. `make help` lists the rest.
# Everything is built in build/<preset>/; the presets are in CMakePresets.json.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := release

# One compiler process on LibTorch headers takes up to 1.3 GB, so memory caps the jobs as well as the cores do.
JOBS ?= $(shell awk -v cores=$$(nproc) '/^MemTotal/ { jobs = int($$2 / 1.3e6) } \
  END { print jobs < 1 ? 1 : jobs < cores ? jobs : cores }' /proc/meminfo)
TEST_JOBS ?= $(shell nproc)

CCACHE := $(shell command -v ccache)
ifneq ($(CCACHE),)
export CMAKE_CXX_COMPILER_LAUNCHER ?= $(CCACHE)
endif

DEMO_DATA := runs/demo-data
DEMO_RUN := runs/demo
PROGRAM := build/release/probedarts

.PHONY: release demo test bench asan tsan format lint check install clean help

## release: the program, optimised: build/release/probedarts (default)
release:
	tools/setup.sh build
	cmake --preset release
	cmake --build --preset release --target probedarts -j $(JOBS)

## demo: build, draw a data set, search a small cell on it and write the report; again and again if you like
demo: release
	rm -rf $(DEMO_DATA)
	$(PROGRAM) data synth $(DEMO_DATA) --size 64 --train 600 --valid 120 --test 120 --seed 1
	$(PROGRAM) search --data $(DEMO_DATA) --out $(DEMO_RUN) --force \
	  --preset pathology --nodes 2 --epochs 5 --seed 1
	$(PROGRAM) report $(DEMO_RUN) --out $(DEMO_RUN)/report.html
	@echo
	@echo "The report is a web page: $(CURDIR)/$(DEMO_RUN)/report.html"

## test: build with warnings as errors and run every test
test:
	tools/setup.sh build test
	cmake --preset dev
	cmake --build --preset dev -j $(JOBS)
	ctest --preset dev -j $(TEST_JOBS)

## bench: machine, kernels and steps beside PyTorch and ONNX Runtime, into docs/performance.md (about 20 minutes, idle machine)
bench:
	tools/setup.sh build bench
	cmake --preset release
	cmake --build --preset release --target probedarts -j $(JOBS)
	tools/run_bench.py $(PROGRAM)

## asan: all tests under the address and undefined-behaviour sanitizers (slow)
## tsan: the tests of core, kernels and data under the thread sanitizer
asan:
	tools/setup.sh build test
	cmake --preset asan
	cmake --build --preset asan -j $(JOBS)
	ctest --preset asan -j $(TEST_JOBS)

tsan:
	tools/setup.sh build test
	cmake --preset tsan
	cmake --build --preset tsan -j $(JOBS)
	ctest --preset tsan -j $(TEST_JOBS) -L '^(core|kernels|data)$$'

## format: lay out all sources with clang-format
format:
	tools/setup.sh lint
	tools/check_format --fix

## lint: format, rooms and clang-tidy, without the tests
lint:
	tools/setup.sh build lint
	tools/check --no-tests

## check: all that a change has to pass: lint and test
check:
	tools/setup.sh build test lint
	tools/check

## install: the program, the libraries and the package for find_package, to PREFIX (default /usr/local)
PREFIX ?= /usr/local
install: release
	cmake --build --preset release --target rooms -j $(JOBS)
	cmake --install build/release --prefix $(PREFIX)

## clean: remove all build trees (runs/ is left alone)
clean:
	rm -rf build

## help: this list
help:
	@sed -n 's/^## /  make /p' $(MAKEFILE_LIST)
