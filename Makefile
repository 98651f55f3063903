# SPDX-License-Identifier: GPL-2.0

KDIR ?= /lib/modules/$(shell uname -r)/build
PREFIX ?= /usr/local

config := $(KDIR)/include/config/auto.conf
out := $(CURDIR)/build/host
share := $(DESTDIR)$(PREFIX)/share
kbuild = $(MAKE) -C $(KDIR) M=$(CURDIR) MO=$(out)

.PHONY: all module tool install sandbox demo tour test soak bench sim check clean

# For the kernel at KDIR, with this machine's own tools. The others need nothing of it but root, and
# do everything in the sandbox.
all: module tool

module:
	@set -eu; missing() { echo "mwb: $$*" >&2; exit 1; }; \
	[ -e $(KDIR)/Makefile ] || missing "no kernel build folder at $(KDIR); install the kernel's headers or set KDIR"; \
	[ -e $(config) ] || missing "the kernel at $(KDIR) is not configured"; \
	grep -qx CONFIG_RUST=y $(config) || missing "the kernel at $(KDIR) is built without CONFIG_RUST"; \
	[ -e $(KDIR)/rust/libkernel.rmeta ] || missing "the headers at $(KDIR) lack rust/libkernel.rmeta"; \
	command -v rustc >/dev/null || missing "no rustc in PATH"; \
	command -v bindgen >/dev/null || missing "no bindgen in PATH"; \
	want=$$(sed -n 's/^CONFIG_RUSTC_VERSION_TEXT="\?\([^"]*\)"\?$$/\1/p' $(config)); \
	[ "$$(rustc --version)" = "$$want" ] || missing "the kernel was built by $$want, but here is $$(rustc --version)"
	@mkdir -p $(out)
	$(kbuild) modules

tool:
	@if command -v cargo >/dev/null; then \
		cd tools && cargo build --release --locked --target-dir $(out)/tools && \
			install $(out)/tools/release/mwb $(out)/mwb; \
	else echo "mwb: no cargo in PATH, so the tool is not built" >&2; fi

install:
	$(kbuild) INSTALL_MOD_PATH=$(DESTDIR) INSTALL_MOD_DIR=extra modules_install
	$(if $(DESTDIR),,depmod $$(cat $(KDIR)/include/config/kernel.release))
	install -D -t $(DESTDIR)$(PREFIX)/sbin $(out)/mwb
	install -D -m 644 -t $(share)/man/man8 tools/mwb/mwb.8
	install -D -m 644 -t $(share)/mwb tools/mwb/grafana.json
	install -D -m 644 -t $(share)/doc/mwb tools/mwb/example.toml
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|/usr/local|$(PREFIX)|' tools/mwb/mwb.service >$(DESTDIR)$(PREFIX)/lib/systemd/system/mwb.service
	install -d $(share)/bash-completion/completions $(share)/zsh/site-functions $(share)/fish/vendor_completions.d
	$(out)/mwb completion bash >$(share)/bash-completion/completions/mwb
	$(out)/mwb completion zsh >$(share)/zsh/site-functions/_mwb
	$(out)/mwb completion fish >$(share)/fish/vendor_completions.d/mwb.fish

sandbox:
	scripts/kernel stock
	scripts/kernel uml

demo:
	scripts/build uml
	scripts/build tool
	tests/vm/run uml tests/netns/demo

# Writes docs/tour.md, which the test t-tour compares with what happens.
tour:
	scripts/build uml
	scripts/build tool
	tests/vm/run uml bash -c 'tests/netns/tour >$$MWB_OUT/tour.md'
	cp build/out/uml/tour.md docs/tour.md

test:
	tests/run

# The long form of what `make test` does in short: hours.
soak:
	tests/soak

bench:
	scripts/build uml
	scripts/build tool
	scripts/build stock
	tests/bench/host
	tests/bench/all
	tests/vm/run uml tests/bench/placing
	tests/vm/run stock tests/bench/placing

# Every policy in every scene; QUICK=1 for a minute's worth. Then some of it packet by packet.
sim:
	tests/sim/host $(if $(QUICK),quick,full)
	tests/sim/host replay $(if $(QUICK),,1 5 45)
	scripts/build uml
	scripts/build tool
	tests/vm/run uml tests/netns/all choice

check:
	scripts/check

clean:
	rm -rf build
