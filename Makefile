# make run: train the faces job on every core.  make test: most tests.  make help: the rest.
.DEFAULT_GOAL := all

# A file includes headers of its own layer and of those to its left (make check-layers).
LAYERS := base kernel eval comm array data tape op net loss train evaluate run command

PACKAGES      := gcc make pkg-config openmpi-bin libopenmpi-dev libhdf5-openmpi-dev libblis-openmp-dev libyaml-dev \
                 libpng-dev libjpeg-dev zlib1g-dev librandom123-dev libxxhash-dev liblapacke-dev hdf5-tools
TEST_PACKAGES := libcmocka-dev python3-h5py python3-numpy python3-matplotlib procps
SLURM_PACKAGES := slurmctld slurmd slurm-client munge iproute2
FUZZ_PACKAGES  := clang libclang-rt-14-dev libomp-dev python3-pil
DRILL_PACKAGES := python3-xxhash
HOSTS_PACKAGES := openssh-server openssh-client iproute2
VIEWER_PACKAGES := chromium
TORCH_PACKAGES := python3-torch

CC       := gcc
CFLAGS   ?= -O3 -g
WERROR   := -Werror
WARN      = -std=gnu11 -fopenmp -Wall -Wextra -Wshadow -Wvla -Wwrite-strings $(WERROR)
# Where libraries are elsewhere: jobs/README.md.
LIBS     := ompi-c hdf5-openmpi yaml-0.1 libpng libjpeg zlib libxxhash
# LAPACKE's pkg-config file wants one of BLAS, which BLIS does not bring.  BLIS has none; its flavours share one soname,
# so the folder is also where the program looks at run time.
BLIS        = $(shell $(CC) -print-multiarch)/blis-openmp
BLIS_CFLAGS = -I/usr/include/$(BLIS)
BLIS_LIBS   = -L/usr/lib/$(BLIS) -Wl,-rpath,/usr/lib/$(BLIS) -lblis -llapacke
CPPFLAGS    = -Iinclude -I$B $(subst -I,-isystem ,$(BLIS_CFLAGS) $(shell pkg-config --cflags $(LIBS)))
LDLIBS      = $(shell pkg-config --libs $(LIBS)) $(BLIS_LIBS) -lgomp -lm

# The loops of kernel/simd/ are compiled once for each of these; the program chooses when it starts.
ISAS         := generic $(if $(filter x86_64-%,$(shell $(CC) -dumpmachine)),avx2 avx512)
FLAGS_avx2   := -mavx2 -mfma
FLAGS_avx512 := $(FLAGS_avx2) -mavx512f -mavx512vl -mavx512dq -mavx512bw -mprefer-vector-width=512

B    := build
PROG := dagan_mpi
SIMD := $(wildcard src/kernel/simd/*.c)
SRC  := $(filter-out $(SIMD),$(foreach l,$(LAYERS),$(wildcard src/$l/*.c src/$l/*/*.c)))
OBJ  := $(SRC:src/%.c=$B/%.o) $(foreach isa,$(ISAS),$(SIMD:src/kernel/simd/%.c=$B/kernel/%.$(isa).o))
CORE := $(filter-out $B/command/%,$(OBJ))
TEST := $(patsubst tests/%.c,$B/tests/%,$(wildcard tests/test_*.c))
DRILL := $(patsubst tests/%.c,$B/tests/%,$(wildcard tests/drill/*.c))
BENCH := $B/bench/conv $B/bench/reduce $B/bench/checkpoint

# mpirun as root in a container, too.  After Ctrl-C ranks get ten seconds to write their checkpoint.
MPIRUN := OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_odls_base_sigkill_timeout=10 mpirun

# Debian's packages for Python belong to the system's interpreter, which need not be the first one in PATH.
PYTHON := /usr/bin/python3

.PHONY: all help run test tests drill test-slurm test-hosts viewer test-viewer test-torch bench asan fuzz memcheck format check-format \
        check-layers lint golden data clean packages viewer-packages torch-packages

all: $(PROG)

help:
	@echo 'make               build $(PROG)'
	@echo 'make run           install what is missing, build, train configs/faces.yaml on every core'
	@echo '                   (RUN_ARGS="--set train.steps=10 --set train.label_warmup=2", NP=ranks)'
	@echo 'make test          install what is missing, build, run every test but those below (TESTS="test_gradients ...", JOBS=4 at a time)'
	@echo 'make drill         kills, stops, damaged files, full disks (PARTS="kill corrupt disk signals", SHORT=1, SEED=2)'
	@echo 'make test-slurm    the batch scripts under a real SLURM on virtual nodes; root (PARTS="life sweep", SHORT=1)'
	@echo 'make test-hosts    runs over several hosts by ssh, and the loss of one; root (PARTS="cut_off", SHORT=1)'
	@echo 'make viewer        build/viewer.html, which shows checkpoints in a browser (node and npm needed)'
	@echo 'make test-viewer   the viewer and a report in headless Chromium, on a small run; make data'
	@echo 'make test-torch    against PyTorch: what export_torch.py exports, and a step of the reference job (SHORT=1)'
	@echo 'make bench         speed beside BLIS, oneDNN and PyTorch: tables, bench.csv (PARTS="a c", BENCH_ARGS=--quick)'
	@echo 'make asan          the tests under the address and undefined-behaviour sanitizers (TESTS="...", SHORT=1)'
	@echo 'make fuzz          libFuzzer on every input (TARGETS="config csv ...", FUZZ_SECONDS=600 for each, SHORT=1)'
	@echo 'make memcheck      one rank of the smoke job under valgrind'
	@echo 'make lint          cppcheck, check-layers and check-format'
	@echo 'make check-layers  that files include only what lies below them'
	@echo 'make format        clang-format over all C files'
	@echo 'make golden        recompute tests/golden/golden.h5 with PyTorch'
	@echo 'make data          draw data/faces.h5 anew (SIZE=128 COUNT=20000 OUTPUT=data/large.h5; SEED=2, STYLES=avataaars,adventurer)'
	@echo 'make clean         remove what was built'

# How a target builds, once what it needs is installed: on every core, unless -j says otherwise.
BUILD = --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$$(nproc))

run:
	$(call install,$(PACKAGES))
	@$(MAKE) $(BUILD) $(PROG)
	$(MPIRUN) $(NP:%=-np %) ./$(PROG) configs/faces.yaml $(RUN_ARGS)

test:
	$(call install,$(PACKAGES) $(TEST_PACKAGES))
	@$(MAKE) $(BUILD) $(PROG) $(TEST)
	@tests/run $(TESTS)

drill:
	$(call install,$(PACKAGES) $(TEST_PACKAGES) $(DRILL_PACKAGES))
	@$(MAKE) $(BUILD) $(PROG) $(DRILL)
	@SHORT=$(SHORT) SEED=$(SEED) tests/drill/run $(PARTS)

test-slurm:
	$(call install,$(PACKAGES) $(TEST_PACKAGES) $(SLURM_PACKAGES),$(no_init))
	@$(MAKE) $(BUILD) $(PROG)
	@SHORT=$(SHORT) tests/slurm/run $(PARTS)

test-hosts:
	$(call install,$(PACKAGES) $(TEST_PACKAGES) $(HOSTS_PACKAGES),$(no_init))
	@$(MAKE) $(BUILD) $(PROG) $(addprefix $B/tests/,test_comm test_store test_reduce)
	@SHORT=$(SHORT) tests/hosts/run $(PARTS)

# Debian packages: installed where that is allowed, and where the shell condition $2 holds if there is one, else named.
# Other systems have their own ways.
# One call names all that a target needs: two of apt-get at a time would get into each other's way.
define install
	@command -v dpkg-query >/dev/null || exit 0; \
	missing=$$(dpkg-query -W -f '$${Package} $${Status}\n' $1 2>/dev/null | awk -v wanted='$1' '/ installed$$/ { has[$$1] } \
	    END { n = split(wanted, name); for (i = 1; i <= n; i++) if (!(name[i] in has)) printf "%s ", name[i] }'); \
	[ -z "$$missing" ] && exit 0; \
	$(or $2,true) || { echo "please run:  sudo apt-get install --no-install-recommends $$missing"; exit 1; }; \
	sudo=; [ "$$(id -u)" = 0 ] || sudo='sudo -n'; \
	echo "installing $$missing"; \
	{ $$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
	    --no-install-recommends $$missing >/dev/null; } || \
	{ echo "please run:  sudo apt-get install --no-install-recommends $$missing"; exit 1; }
endef
# SLURM and ssh start services of the machine where it has an init.  The tests want none of them.
no_init := [ ! -d /run/systemd/system ]

packages:
	$(call install,$(PACKAGES))
viewer-packages:
	$(call install,$(VIEWER_PACKAGES))
torch-packages:
	$(call install,$(TORCH_PACKAGES))

# make V=1 shows the commands.
comma := ,
Q := $(if $(V),,@)
say = @echo '  $1'

$(PROG): $(OBJ)
	$(call say,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Outside kernel/simd, FP contraction is off: what one rank adds and what several add must agree in every bit.  The
# kernels there may contract, since each runs alike wherever its instruction set does.
$B/%.o: src/%.c
	@mkdir -p $(@D)
	$(call say,$@)
	$(Q)$(CC) $(CFLAGS) $(WARN) -ffp-contract=off -MMD -MP $(CPPFLAGS) -c -o $@ $<

define simd_rule
$B/kernel/%.$1.o: src/kernel/simd/%.c
	@mkdir -p $$(@D)
	$$(call say,$$@)
	$$(Q)$$(CC) $$(CFLAGS) $$(WARN) -ffp-contract=fast $$(FLAGS_$1) -DISA=$1 -MMD -MP $$(CPPFLAGS) -c -o $$@ $$<
endef
$(foreach isa,$(ISAS),$(eval $(call simd_rule,$(isa))))

# The folders op/, net/encoder/, net/localiser/, loss/ and train/ are the registries: a file is found by what it defines,
# and a folder is newer when one is gone.
REGISTRY := $(addprefix $B/registry/,op.h encoder.h localiser.h loss.h kind.h)
$B/registry/op.h: src/op $(wildcard src/op/*.c)
$B/registry/encoder.h: src/net/encoder $(wildcard src/net/encoder/*.c)
$B/registry/localiser.h: src/net/localiser $(wildcard src/net/localiser/*.c)
$B/registry/loss.h: src/loss $(wildcard src/loss/*.c)
$B/registry/kind.h: src/train $(wildcard src/train/*.c)
$(REGISTRY):
	@mkdir -p $(@D)
	@sed -nE 's/^const $(@F:.h=)_t ($(@F:.h=)_[a-z0-9_]+) =.*/X(\1)/p' $(filter %.c,$^) > $@

$B/op/registry.o $B/net/registry.o $B/loss/registry.o $B/train/kind.o: $(REGISTRY)

# Tests link everything but main.
$B/tests/%: tests/%.c $(wildcard tests/*.h) $(CORE)
	@mkdir -p $(@D)
	$(call say,$@)
	$(Q)$(CC) $(CFLAGS) $(WARN) -MMD -MP $(CPPFLAGS) -Itests $(LDFLAGS) -o $@ $< $(CORE) $(LDLIBS) $(shell pkg-config --libs cmocka)

tests: $(TEST)

# The programs of make bench; oneDNN is compared with where it is installed.
$B/bench/conv: $(wildcard analysis/bench/conv*.c)
$B/bench/reduce: analysis/bench/reduce.c
$B/bench/checkpoint: analysis/bench/checkpoint.c
$B/bench/conv: BENCH_LIBS = $(shell $(CC) -include dnnl.h -x c -E /dev/null >/dev/null 2>&1 && echo -ldnnl)
$(BENCH): $(wildcard include/dagan/*.h analysis/bench/*.h) $(CORE)
	@mkdir -p $(@D)
	$(call say,$@)
	$(Q)$(CC) $(CFLAGS) -march=native $(WARN) $(CPPFLAGS) $(LDFLAGS) -o $@ $(filter %.c,$^) $(CORE) $(LDLIBS) $(BENCH_LIBS)

# PARTS="a c": some of the tables; BENCH_ARGS=--quick: fewer repetitions.
bench:
	$(call install,$(PACKAGES) python3)
	@$(MAKE) $(BUILD) $(PROG) $(BENCH)
	@$(PYTHON) analysis/bench.py --build $B $(BENCH_ARGS) $(PARTS)

-include $(OBJ:.o=.d) $(TEST:=.d) $(DRILL:=.d)

# The viewer is one HTML file: browsers load nothing else from a disk.
viewer: build/viewer.html
	@echo 'build/viewer.html: open it in a browser'
build/viewer.html: $(addprefix analysis/viewer/,build.mjs index.html viewer.css $(notdir $(wildcard analysis/viewer/*.js))) \
                   analysis/viewer/node_modules/.package-lock.json
	node analysis/viewer/build.mjs $@
analysis/viewer/node_modules/.package-lock.json: analysis/viewer/package-lock.json
	@command -v npm >/dev/null || { echo 'please install node and npm'; exit 1; }
	cd analysis/viewer && npm ci --no-audit --no-fund

# Apart from `make test`, because they need a browser, and PyTorch.
test-viewer: viewer
	$(call install,$(PACKAGES) $(TEST_PACKAGES) $(VIEWER_PACKAGES))
	@$(MAKE) $(BUILD) $(PROG)
	@tests/run viewer faces
test-torch:
	$(call install,$(PACKAGES) $(TEST_PACKAGES) $(TORCH_PACKAGES))
	@$(MAKE) $(BUILD) $(PROG)
	@SHORT=$(SHORT) tests/run torch_export torch_step

# gcc joins a product and a sum into one rounding by -fexpensive-optimizations (of -O2), and tests compare bits with BLIS's.
# What Open MPI leaks by design stands in tests/lsan.supp.  The library of faults that some tests preload comes before ASan.
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
asan:
	$(call install,$(PACKAGES) $(TEST_PACKAGES))
	@mkdir -p build/asan
	@$(CC) -O1 -Werror -c -o build/asan/no_dlclose.o tests/no_dlclose.c
	@$(MAKE) $(BUILD) B=build/asan PROG=build/asan/dagan_mpi CFLAGS='-O1 -fexpensive-optimizations -g $(SANITIZE)' \
	    LDFLAGS='-rdynamic build/asan/no_dlclose.o' all tests
	@SHORT=$(SHORT) DAGAN_BUILD=build/asan ASAN_OPTIONS=detect_leaks=1:verify_asan_link_order=0 UBSAN_OPTIONS=print_stacktrace=1 \
	    LSAN_OPTIONS=suppressions=$(CURDIR)/tests/lsan.supp:print_suppressions=0 TEST_TIMEOUT=400 \
	    CHECK_TIMEOUT=1800 tests/run $(TESTS)

# Inputs of all kinds made by libFuzzer: tests/fuzz/NAME.c is a target.  FUZZ_SECONDS=600 for each; SHORT=1: 8 s, fixed seed.
TARGETS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))
FUZZ_FLAGS := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -D__SANITIZE_ADDRESS__
fuzz:
	$(call install,$(PACKAGES) $(TEST_PACKAGES) $(FUZZ_PACKAGES))
	@$(MAKE) $(BUILD) $(PROG)
	@mkdir -p build/fuzz
	@$(CC) -O1 -Werror -c -o build/fuzz/no_dlclose.o tests/no_dlclose.c
	@$(MAKE) $(BUILD) B=build/fuzz CC=clang CFLAGS='$(FUZZ_FLAGS) -fsanitize=fuzzer-no-link' \
	    LDFLAGS='-rdynamic build/fuzz/no_dlclose.o' $(TARGETS:%=build/fuzz/fuzz/%)
	@SHORT=$(SHORT) FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/run $(TARGETS)

# The command line's target stops where a command begins its work.
$B/fuzz/command: LDFLAGS += $(addprefix -Wl$(comma)--wrap=,train_run translate pack dry_build)
$(addprefix $B/fuzz/,dataset objects checkpoint): LDFLAGS += -Wl,--wrap=hdf5_inspect
$B/fuzz/%: tests/fuzz/%.c $(wildcard tests/fuzz/*.h) $(OBJ)
	@mkdir -p $(@D)
	$(call say,$@)
	$(Q)$(CC) $(CFLAGS) -fsanitize=fuzzer $(WARN) $(CPPFLAGS) $(LDFLAGS) -o $@ $< $(filter-out %/main.o,$(OBJ)) $(LDLIBS)

# One rank of the smoke job under valgrind, whose processor knows AVX2 but not what newer machines add: number 3 are
# BLIS's kernels for Haswell.
memcheck:
	$(call install,$(PACKAGES) valgrind)
	@$(MAKE) $(BUILD) B=build/memcheck PROG=build/memcheck/dagan_mpi CFLAGS='-O1 -g' all
	@rm -rf build/memcheck/run
	OMP_NUM_THREADS=1 BLIS_ARCH_TYPE=3 DAGAN_ISA=avx2 valgrind --quiet --error-exitcode=9 --leak-check=full \
	    --show-leak-kinds=definite --errors-for-leak-kinds=definite --num-callers=30 \
	    --suppressions=/usr/share/openmpi/openmpi-valgrind.supp --suppressions=tests/valgrind.supp \
	    build/memcheck/dagan_mpi configs/smoke.yaml --set run.dir=build/memcheck/run --set train.batch=2

C_FILES = $(shell git ls-files '*.c' '*.h')
format:
	clang-format -i $(C_FILES)
check-format:
	@clang-format --dry-run --Werror $(C_FILES)

# An include of a layer to the right of one's own is an error; so is reaching into another layer's private headers.
check-layers:
	@awk -v layers='$(LAYERS)' -f tests/layers.awk $(SRC) $(SIMD) $(wildcard src/*/*.h src/*/*/*.h include/dagan/*.h)

# cppcheck does not see that CHECK ends the run, nor that scratch memory is untyped; the other two are false.
lint: check-layers check-format $(REGISTRY)
	@cppcheck --quiet --std=c11 --enable=warning,performance,portability --error-exitcode=1 --inline-suppr \
	    $(addprefix --suppress=,nullPointerRedundantCheck missingIncludeSystem arrayIndexOutOfBoundsCond memleakOnRealloc \
	        invalidPointerCast memleak:src/data/png.c invalidFunctionArg:src/op/cross_entropy.c) -j 2 -DISA=generic -Iinclude src
	@clang-tidy --quiet --checks='-*,mpi-*' --warnings-as-errors='*' $(SRC) $(SIMD) -- -std=gnu11 -DISA=generic $(CPPFLAGS)
	@shellcheck --severity=warning -x tests/run tests/*/run tests/*.sh tests/*/*.sh jobs/*.sh jobs/*.sbatch

golden:
	$(call install,$(TEST_PACKAGES) $(TORCH_PACKAGES))
	$(PYTHON) tests/golden/make_golden.py

SIZE   ?= 64
COUNT  ?= 2000
PAIRED ?= 300
SEED   ?= 1
STYLES ?= adventurer,lorelei
FACES   = $(SIZE)-$(COUNT)-$(PAIRED)-$(SEED)-$(subst $(comma),-,$(STYLES))
OUTPUT ?= data/faces$(if $(filter-out 64-2000-300-1-adventurer-lorelei,$(FACES)),-$(FACES)).h5
data: data/node_modules/.package-lock.json # in a file of its own where it is of another size, seed or style
	node data/make_faces.mjs --size $(SIZE) --count $(COUNT) --test $(PAIRED) --seed $(SEED) --styles $(STYLES) --output $(OUTPUT)
data/node_modules/.package-lock.json: data/package-lock.json
	@command -v npm >/dev/null || { echo 'please install node and npm'; exit 1; }
	cd data && npm ci --no-audit --no-fund

clean:
	rm -rf $B $(PROG)
