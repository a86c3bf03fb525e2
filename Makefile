# reprise: three commands matter. "make image" makes the installation medium,
# "make rig" the disk image of a live-rig, "make test" checks everything. They
# need Go, make and a kernel with user namespaces, and set up all else themselves.

GO      ?= go
PROFILE ?= studio
OUT     ?= $(PROFILE).iso
# A Debian mirror; without one the machine's apt sources say where it is.
MIRROR  ?=
export REPRISE_MIRROR := $(or $(MIRROR),$(REPRISE_MIRROR))
# A public ssh key to let in, or "auto": your own, else one made beside the image.
# A medium needs none: who installs from it says who may log in.
KEY     ?=
GOFLAGS_BUILD = -trimpath -buildvcs=false -ldflags '-s -w'

.PHONY: all image rig run test check bench guests power-cuts fuzz docs clean FORCE
all: reprise

# go build decides what is out of date; make only asks it to.
reprise: FORCE
	CGO_ENABLED=0 $(GO) build $(GOFLAGS_BUILD) -o $@ ./cmd/reprise

image: reprise
	./reprise build $(PROFILE) $(if $(KEY),--authorize $(KEY)) -o $(OUT)

rig: reprise
	./reprise build live-rig --authorize $(or $(KEY),auto) -o live-rig.img

run: image
	./reprise run $(OUT)

check:
	@fmt=$$(gofmt -l cmd hwdetect image initrd installer internal profiles store test tui); test -z "$$fmt" || { echo "gofmt wants: $$fmt"; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags tools,bench ./...
	$(GO) tool staticcheck ./...

# Everything CI runs, boots included.
test: check reprise
	./scripts/test

bench: reprise
	./scripts/bench

# Every installation and change in a guest that there is a test for: an hour.
guests: reprise
	./scripts/guests 'TestInstall|TestGuided|TestSessionInstalls|TestSwitch'

# An installation cut off at each step and at twenty moments of its copy.
power-cuts: reprise
	./scripts/guests TestPowerCuts

# A short walk with every fuzz target; give FUZZTIME=10m for a long one.
fuzz:
	./scripts/fuzz

docs: reprise
	./reprise docs docs/man

# Images and the keys beside them are yours; they stay.
clean:
	rm -f reprise
	-chmod -R u+w .cache 2>/dev/null
	rm -rf .cache docs/man

FORCE:
