# connhook. `make demo` shows it, `make test` proves it, `make help` lists the rest.

VERSION := 0.1.0
B ?= build
CC = gcc
CLANG = clang
PYTHON = /usr/bin/python3
DESTDIR ?=
PREFIX ?= /usr/local

# What Debian must have, by name: to build, and to test on top of that.
BUILD_PACKAGES = gcc libc6-dev make pkg-config libmicrohttpd-dev libgnutls28-dev libssl-dev libcjson-dev libyaml-dev
DEMO_PACKAGES = $(BUILD_PACKAGES) curl openssl python3 python3-yaml python3-jsonpatch
TEST_PACKAGES = $(DEMO_PACKAGES) check git patch binutils python3-jsonschema
LINT_PACKAGES = $(TEST_PACKAGES) clang libclang-rt-14-dev
VALGRIND_PACKAGES = $(TEST_PACKAGES) valgrind libc6-dbg
ANALYZE_PACKAGES = $(TEST_PACKAGES) clang clang-tidy cppcheck
LOAD_PACKAGES = $(TEST_PACKAGES) golang-go
COVERAGE_PACKAGES = $(TEST_PACKAGES) gcovr
NODE_PACKAGES = $(TEST_PACKAGES) libseccomp-dev debootstrap buildah iproute2 util-linux

LIBRARIES = libmicrohttpd gnutls libcrypto libcjson yaml-0.1
WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wformat=2 -Wundef -Wvla -Wcast-qual -Wwrite-strings -Wpointer-arith \
	-Wswitch-enum -Wimplicit-fallthrough -Wdouble-promotion -Wnull-dereference
# tests/cli/hardening.py finds each of these in the program. Some distributions define _FORTIFY_SOURCE themselves.
HARDENING_x86_64 = -fcf-protection=full
HARDENING_aarch64 = -mbranch-protection=standard
HARDENING = -fPIE -fstack-protector-strong -fstack-clash-protection -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 \
	$(HARDENING_$(shell $(CC) -dumpmachine | cut -d- -f1))
OPTIMISE = -O2 -g $(HARDENING)
LINK = -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code,--as-needed
# Where the pages of docs/ are to be read: reports point there.
DOCS ?= https://connhook.zerotouch.io/docs
CPPFLAGS = -Isrc -I$(B)/generated -D_GNU_SOURCE -DCONNHOOK_VERSION='"$(VERSION)"' -DCONNHOOK_DOCS='"$(DOCS)"'
CFLAGS = -std=c17 $(OPTIMISE) $(WARNINGS) $(EXTRA_CFLAGS)
LIBS = $(shell pkg-config --libs $(LIBRARIES)) -lpthread

SOURCES := $(filter-out src/cli/main.c,$(wildcard src/*/*.c src/*/*/*.c))
PROFILES := $(wildcard src/policy/load/profiles/*.yaml)
EMBEDDED := $(PROFILES:src/policy/load/profiles/%.yaml=$(B)/generated/profile_%.h)
OBJECTS := $(SOURCES:%.c=$(B)/%.o)
UNIT_TESTS := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(wildcard tests/unit/test_*.c))
FUZZ_TARGETS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
REPLAYS := $(FUZZ_TARGETS:%=$(B)/tests/fuzz/replay_%)
TEST_TOOLS := $(patsubst tests/support/%.c,$(B)/tests/support/%,$(wildcard tests/support/*.c))

.PHONY: all help deps packages programs demo test sequences torture asan tsan valgrind valgrind-tools coverage chart \
	e2e node fuzz fuzz-tools analyze lint load faults load-tools cost cost-tools clean install golden check-tools
.DELETE_ON_ERROR:
.SECONDARY:

all: $(B)/connhook

help:
	@echo 'make             build $(B)/connhook'
	@echo 'make demo        install what is missing, build, and show connhook at work over HTTPS'
	@echo 'make test        install what is missing, build, and run all tests'
	@echo 'make sequences   SEQUENCES lives of a workload: an owner, controllers and other webhooks write (4 minutes)'
	@echo 'make torture     every allocation fails in turn (8 minutes)'
	@echo 'make asan        all tests under AddressSanitizer and UndefinedBehaviorSanitizer'
	@echo 'make tsan        the tests of the server under ThreadSanitizer'
	@echo 'make valgrind    unit tests, golden cases, a server and all commands under memcheck (5 minutes)'
	@echo 'make coverage    lines and branches of src/ that the tests run, at least 95 and 85 %'
	@echo 'make chart       what the Helm chart renders to; metrics, alerts, dashboard, as promtool judges them'
	@echo 'make e2e         scenarios against a real kube-apiserver (7 minutes more the first time); KUBERNETES=1.34.4'
	@echo 'make node        the image on a real node: certificates, rollouts, rotation, a drain, under load'
	@echo 'make load        LOAD_REVIEWS over HTTPS: every answer checked, memory flat'
	@echo 'make faults      clients and networks that fail: no answer to normal clients is lost or wrong'
	@echo 'make cost        steps that a decision takes, for all that a tenant can multiply, up to the largest bodies'
	@echo 'make fuzz        libFuzzer, FUZZ_SECONDS for each target'
	@echo 'make analyze     clang-tidy, gcc -fanalyzer and cppcheck over all C, warnings as errors (5 minutes)'
	@echo 'make lint        both compilers with warnings as errors, layers, banned functions'
	@echo 'make golden      write expected and generated files anew, to be read with git diff'
	@echo 'make install     install to $$(DESTDIR)$$(PREFIX)/bin'

$(B)/connhook: $(B)/src/cli/main.o $(B)/libconnhook.a
	$(CC) $(CFLAGS) $(LINK) -o $@ $^ $(LIBS)

$(B)/libconnhook.a: $(OBJECTS)
	rm -f $@
	ar rcs $@ $^

$(B)/%.o: %.c Makefile | $(EMBEDDED)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# A configuration as a C array: the bytes of the readable file, and nothing else.
$(B)/generated/profile_%.h: src/policy/load/profiles/%.yaml
	@mkdir -p $(@D)
	od -An -v -tx1 $< | sed 's/ \([0-9a-f][0-9a-f]\)/0x\1,/g' > $@

$(B)/tests/unit/%: tests/unit/%.c $(B)/libconnhook.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -Itests/unit -MMD -MP -o $@ $< $(B)/libconnhook.a $(LINK) \
		$(shell pkg-config --libs check) $(LIBS)

$(B)/tests/support/%: tests/support/%.c $(B)/libconnhook.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -o $@ $< $(B)/libconnhook.a $(LINK) $(LIBS)

# A fuzz target without a fuzzer, which replays a corpus; and with libFuzzer.
$(B)/tests/fuzz/replay_%: tests/fuzz/fuzz_%.c tests/fuzz/replay.c $(B)/libconnhook.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -Itests/fuzz -o $@ $^ $(LINK) $(LIBS)

$(B)/tests/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(B)/libconnhook.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -Itests/fuzz -fsanitize=fuzzer -o $@ $^ $(LINK) $(LIBS)

# Installs missing packages by name; without root it prints the line to run.
PACKAGES ?= $(BUILD_PACKAGES)
deps:
	@missing=; for p in $(PACKAGES); do \
		dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ]; then \
		echo "connhook: these Debian packages are missing; run:" >&2; \
		echo "  sudo apt-get install -y --no-install-recommends$$missing" >&2; exit 1; fi; \
	echo "installing:$$missing"; \
	apt-get install -y --no-install-recommends $$missing >/dev/null 2>&1 || { apt-get update >/dev/null && \
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $$missing >/dev/null; }

# All that any target here installs, at once.
packages:
	@$(MAKE) --no-print-directory deps PACKAGES="$(sort $(LINT_PACKAGES) $(VALGRIND_PACKAGES) $(ANALYZE_PACKAGES) \
		$(LOAD_PACKAGES) $(COVERAGE_PACKAGES) $(NODE_PACKAGES))"

# The programs of real clusters, made once; see tests/e2e/binaries.py.
programs:
	@$(MAKE) --no-print-directory deps PACKAGES="$(NODE_PACKAGES)"
	@$(PYTHON) tests/e2e/binaries.py cluster controllers node

demo:
	@$(MAKE) --no-print-directory deps PACKAGES="$(DEMO_PACKAGES)"
	@$(MAKE) --no-print-directory -s -j2 all
	@tests/demo/run $(B)/connhook

check-tools: $(B)/connhook $(UNIT_TESTS) $(TEST_TOOLS) $(REPLAYS)

test: cost-tools
	@$(MAKE) --no-print-directory deps PACKAGES="$(TEST_PACKAGES)"
	@$(MAKE) --no-print-directory -s -j2 check-tools
	@$(PYTHON) tests/run.py --build $(B)

# Lives of a workload, from SEQUENCES_SEED on; make test has the first 1,500.
SEQUENCES ?= 10000
SEQUENCES_SEED ?= 1
sequences:
	@$(MAKE) --no-print-directory deps PACKAGES="$(TEST_PACKAGES)"
	@$(MAKE) --no-print-directory -s -j2 $(B)/connhook $(B)/tests/support/decide_pipe
	@$(PYTHON) tests/sequences.py --build $(B) --count $(SEQUENCES) --seed $(SEQUENCES_SEED)

# Every allocation of everything that needs no server fails in turn; TORTURE_STEP=10: every tenth; TORTURE_WORDS=yaml:
# of inputs whose label has that.
TORTURE_STEP ?= 1
TORTURE_WORDS ?=
torture:
	@$(MAKE) --no-print-directory deps PACKAGES="$(TEST_PACKAGES)"
	@$(MAKE) --no-print-directory -s -j2 $(B)/connhook $(B)/tests/support/torture $(B)/tests/support/decide_pipe
	@$(PYTHON) tests/torture.py --build $(B) --step $(TORTURE_STEP) -k '$(TORTURE_WORDS)'

# UNCONFINED: what looks on needs processes and files that src/server/confine.c refuses. So do valgrind and gcov.
SANITIZE = -O1 -g -DUNCONFINED -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
asan:
	@$(MAKE) --no-print-directory test B=build/asan OPTIMISE="$(SANITIZE)" LINK="-fsanitize=address,undefined"

# The server's tests, whose threads ThreadSanitizer watches: requests, reloads, rotations, the end; then under load.
TSAN_FAULTS = -k replace -k restart -k slow
tsan: load-tools
	@$(MAKE) --no-print-directory -s -j2 all B=build/tsan LINK="-fsanitize=thread" \
		OPTIMISE="-O1 -g -DUNCONFINED -fsanitize=thread -fno-omit-frame-pointer"
	@$(PYTHON) tests/run.py --build build/tsan -k http/
	@$(PYTHON) tests/load/faults.py --build $(B) --server build/tsan/connhook --rate 40 $(TSAN_FAULTS)

# What the tests run of src/, printed for each file, the least covered last; gcovr knows what must be reached.
COVER = -O0 -g -DUNCONFINED --coverage -fprofile-update=atomic
coverage:
	@$(MAKE) --no-print-directory deps PACKAGES="$(COVERAGE_PACKAGES)"
	@$(MAKE) --no-print-directory -s -j2 check-tools B=build/coverage OPTIMISE="$(COVER)" LINK=--coverage
	@find build/coverage -name '*.gcda' -delete
	@$(PYTHON) tests/run.py --build build/coverage
	@gcovr --root . --filter src/ --object-directory build/coverage --sort-percentage --print-summary \
		--fail-under-line 95 --fail-under-branch 85

# memcheck: what is read before it is written, and every leak; also in what libraries do with what they are given.
valgrind:
	@$(MAKE) --no-print-directory deps PACKAGES="$(VALGRIND_PACKAGES)"
	@$(MAKE) --no-print-directory -s -j2 valgrind-tools B=build/valgrind OPTIMISE="-O2 -g -DUNCONFINED"
	@$(PYTHON) tests/valgrind.py --build build/valgrind

valgrind-tools: $(B)/connhook $(UNIT_TESTS) $(B)/tests/support/decide_pipe

# A build that counts its own steps, as tests/cost/cost.c says. `make test` runs it over small bodies.
COST_BUILD = build/cost
COST = -O1 -g -fno-builtin -fsanitize-coverage=trace-pc
COST_LINK = $(addprefix -Wl$(comma)--wrap=,strlen strcmp memcmp memchr memmem memcpy calloc)
comma := ,
cost: cost-tools
	@$(PYTHON) tests/cost/cost.py --full

cost-tools:
	@$(MAKE) --no-print-directory deps PACKAGES="$(TEST_PACKAGES)"
	@$(MAKE) --no-print-directory -s -j2 $(COST_BUILD)/tests/cost/cost B=$(COST_BUILD) OPTIMISE="$(COST)" \
		LINK="$(COST_LINK)"

$(B)/tests/cost/cost: tests/cost/cost.c $(B)/libconnhook.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(filter-out -fsanitize-coverage=%,$(CFLAGS)) -o $@ $^ $(LINK) $(LIBS)

# libFuzzer, each target FUZZ_SECONDS long. For a campaign: make fuzz FUZZ_SECONDS=3600
FUZZ_SECONDS ?= 20
FUZZ = -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
fuzz:
	@$(MAKE) --no-print-directory deps PACKAGES="$(LINT_PACKAGES)"
	@$(MAKE) --no-print-directory -s -j2 fuzz-tools B=build/fuzz CC=$(CLANG) OPTIMISE="$(FUZZ)" \
		LINK="-fsanitize=address,undefined"
	@$(PYTHON) tests/fuzz/fuzz.py --build build/fuzz --seconds $(FUZZ_SECONDS)

fuzz-tools: $(FUZZ_TARGETS:%=$(B)/tests/fuzz/fuzz_%) $(B)/tests/support/decide_pipe $(B)/connhook

# A real API server, built once, then started as a plain process: the version in tests/e2e/kubernetes/go.mod where
# there is a Go that builds it, else Debian's. Another one: make e2e KUBERNETES=1.34.4
export KUBERNETES
e2e:
	@$(MAKE) --no-print-directory deps PACKAGES="$(TEST_PACKAGES)"
	@$(MAKE) --no-print-directory -s -j2 all $(B)/tests/support/decide_pipe
	@$(PYTHON) tests/e2e/binaries.py
	@$(PYTHON) tests/e2e/selftest.py
	@$(PYTHON) tests/e2e/scenarios.py --program $(B)/connhook
	@$(PYTHON) tests/e2e/policies.py --build $(B)
	@$(PYTHON) tests/e2e/ownership.py
	@$(PYTHON) tests/e2e/controllers.py --program $(B)/connhook
	@$(PYTHON) tests/e2e/neighbours.py --program $(B)/connhook
	@$(PYTHON) tests/e2e/chart.py --program $(B)/connhook
	@$(MAKE) --no-print-directory chart

# A real node that runs the image, in namespaces of its own; says so where a machine cannot.
node:
	@$(MAKE) --no-print-directory deps PACKAGES="$(NODE_PACKAGES)"
	@$(PYTHON) tests/node/run.py

# Helm and promtool are fetched once; nothing is installed or started.
CHART_SUITES = $(addprefix tests/chart/,generate.py registration.py render.py schema.py) \
	$(addprefix tests/monitoring/,metrics.py alerts.py dashboard.py) tests/cli/native.py
chart:
	@$(MAKE) --no-print-directory deps PACKAGES="$(TEST_PACKAGES)"
	@$(MAKE) --no-print-directory -s -j2 all $(B)/tests/support/decide_pipe
	@for suite in $(CHART_SUITES); do echo "$$suite"; $(PYTHON) $$suite $(B)/connhook || exit 1; done

# Reviews over HTTPS from Go's client, which is the API server's. At length: make load LOAD_REVIEWS=1000000
LOAD_REVIEWS ?= 200000
load: load-tools
	@$(PYTHON) tests/load/load.py --build $(B) --reviews $(LOAD_REVIEWS)

# Normal clients among failing ones. At length, half an hour: make faults FAULTS_SCALE=10
FAULTS_SCALE ?= 1
faults: load-tools
	@$(PYTHON) tests/load/faults.py --build $(B) --scale $(FAULTS_SCALE)

load-tools:
	@$(MAKE) --no-print-directory deps PACKAGES="$(LOAD_PACKAGES)"
	@$(MAKE) --no-print-directory -s -j2 check-tools $(B)/tests/load/client

$(B)/tests/load/client: tests/load/client.go
	@mkdir -p $(@D)
	GOCACHE=$(abspath $(B)/go-cache) GOFLAGS= GOTOOLCHAIN=local GOPROXY=off go build -o $@ $<

golden:
	@$(MAKE) --no-print-directory -s -j2 check-tools
	$(PYTHON) tests/golden.py --build $(B) --update
	$(PYTHON) tests/chart/generate.py $(B)/connhook --write

lint:
	@$(MAKE) --no-print-directory deps PACKAGES="$(LINT_PACKAGES)"
	@$(PYTHON) tests/lint.py
	@$(MAKE) --no-print-directory -s -j2 check-tools B=build/gcc-strict EXTRA_CFLAGS=-Werror
	@$(MAKE) --no-print-directory -s -j2 check-tools B=build/clang-strict CC=$(CLANG) EXTRA_CFLAGS=-Werror
	@echo 'lint: clean'

# Warnings of three analyzers are errors; .clang-tidy and tests/analyze.py say what is left out, and why.
analyze:
	@$(MAKE) --no-print-directory deps PACKAGES="$(ANALYZE_PACKAGES)"
	@$(MAKE) --no-print-directory -s $(EMBEDDED)
	@$(PYTHON) tests/analyze.py -- $(CPPFLAGS)

COMMANDS = serve review explain config certs webhook-config completion man help version
install: all
	install -D -m 0755 $(B)/connhook $(DESTDIR)$(PREFIX)/bin/connhook
	ln -sf connhook $(DESTDIR)$(PREFIX)/bin/kubectl-connhook
	install -d $(addprefix $(DESTDIR)$(PREFIX)/share/,man/man1 bash-completion/completions zsh/site-functions \
		fish/vendor_completions.d)
	$(B)/connhook man > $(DESTDIR)$(PREFIX)/share/man/man1/connhook.1
	for c in $(COMMANDS); do \
		$(B)/connhook man $$c > $(DESTDIR)$(PREFIX)/share/man/man1/connhook-$$c.1 || exit 1; done
	$(B)/connhook completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/connhook
	$(B)/connhook completion zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_connhook
	$(B)/connhook completion fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/connhook.fish

clean:
	rm -rf build

-include $(OBJECTS:.o=.d) $(B)/src/cli/main.d $(wildcard $(B)/tests/*/*.d)
