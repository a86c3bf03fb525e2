# reprise: two commands matter, "make image" and "make test". Both need Go, make
# and a kernel with user namespaces, and set up everything else themselves.

GO      ?= go
PROFILE ?= live-rig
OUT     ?= $(PROFILE).img
# A public ssh key to let in, or "auto": your own, else one made beside the image.
KEY     ?= auto
GOFLAGS_BUILD = -trimpath -buildvcs=false -ldflags '-s -w'

.PHONY: all image run test check bench fuzz docs clean FORCE
all: reprise

# go build decides what is out of date; make only asks it to.
reprise: FORCE
	CGO_ENABLED=0 $(GO) build $(GOFLAGS_BUILD) -o $@ ./cmd/reprise

image: reprise
	./reprise build $(PROFILE) --authorize $(KEY) -o $(OUT)

run: image
	./reprise run $(OUT)

check:
	@fmt=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$fmt" || { echo "gofmt wants: $$fmt"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

# Everything CI runs, boots included.
test: check reprise
	./scripts/test

bench: reprise
	./scripts/bench

# A short walk with every fuzz target; give FUZZTIME=10m for a long one.
fuzz:
	./scripts/fuzz

docs: reprise
	./reprise docs docs/man

clean:
	rm -f reprise

FORCE:
