# The front door. Each target calls one script or CMake; the scripts say what they do.
.DEFAULT_GOAL := help
.PHONY: help deps build package check demo demo-ml demo-mysql demo-down docker-build docker-push \
	deploy undeploy install uninstall test-api test test-long soak bench mutants fuzz coverage \
	format

# The image of docker-build, docker-push and deploy.
IMG ?= localhost/oarlock:latest
export IMG

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

deps: ## install the Debian packages that are missing (root)
	@tools/deps.sh

build: ## build the daemon, its plugins and the test cluster into build/bin and build/plugins
	@tools/build.sh devcluster fetch products

package: ## build the Debian packages oarlock and oarlock-dev into build/release/packages
	@tools/package.sh

check: ## the inner loop: unit tests, cases, lints; no root, no cluster
	@tests/run.sh check

demo: ## a real Kubernetes here, the daemon, a sample of each plugin (root)
	@deploy/demo/demo.sh up

demo-ml: ## a model is trained, published, served and asked, in a Kubernetes of its own (root)
	@deploy/demo/demo-ml.sh

demo-mysql: ## MySQL fails over, is backed up and restored, in a Kubernetes of its own (root)
	@deploy/demo/demo-mysql.sh

demo-down: ## stop the demo; PURGE=1 removes everything that was built as well
	@PURGE=$(PURGE) deploy/demo/demo.sh down

docker-build: ## build the image IMG=...; BUILDER=prebuilt takes what is built here (root)
	@deploy/images/image.sh build $(IMG)
	@deploy/images/image.sh size $(IMG)

docker-push: ## push the image IMG=...; PLAIN_HTTP=1 for a registry without TLS
	@deploy/images/image.sh push $(IMG)

deploy: ## install IMG=... into the cluster of the current kubeconfig context
	@deploy/deploy.sh deploy

undeploy: ## remove what deploy has installed; CRDs stay
	@deploy/deploy.sh undeploy

install: ## install only the CRDs of Oarlock itself
	@deploy/deploy.sh install

uninstall: ## remove those CRDs, and with them all objects of their kinds
	@deploy/deploy.sh uninstall

test-api: ## integration tests on a real API server; no root
	@tests/run.sh api

test: ## everything: packages, all suites, sanitizers, the demo end to end (root)
	@tests/run.sh all

test-long: ## tests that wait for minutes; KUBE=v1.34.4: test-api on that Kubernetes; no root
	@KUBE=$(KUBE) tests/run.sh long

soak: ## MINUTES=30 of random faults by a SEED on 2,000 objects, then converged, silent and flat
	@OARLOCK_SOAK_MINUTES=$(MINUTES) OARLOCK_SOAK_SEED=$(SEED) tests/run.sh soak

bench: ## measure sizes and times; JSON in build/bench
	@bench/run.sh

mutants: ## plant bugs one by one and see a named test fail for each
	@tests/mutants/run.sh

fuzz: ## fuzz each target for SECONDS=30, or only TARGET=name
	@env $(if $(SECONDS),SECONDS=$(SECONDS)) tests/fuzz/run.sh $(TARGET)

coverage: ## which lines the unit tests run; COVERAGE_API=1 adds the integration tests
	@tools/coverage.sh

format: ## format all C and C++
	@tools/format.sh
