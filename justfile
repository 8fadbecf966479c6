# Recipes of the project. `just` alone lists them; `just ci` is what CI runs.

set shell := ["bash", "-euo", "pipefail", "-c"]

[private]
default:
    @just --list

# Start the three services, import the sample and show what happened
[group('run')]
demo *ARGS:
    cargo run -p jiyao-cli -- demo {{ ARGS }}

# Run the three services until Ctrl-C
[group('run')]
up *ARGS:
    cargo run -p jiyao-cli -- up {{ ARGS }}

# The services and the command as they are shipped, in target/dist
[group('run')]
dist:
    cargo build --profile dist --locked -p jiyao-cli -p jiyao-records -p jiyao-attendance -p jiyao-distribution

# All tests
[group('test')]
test *ARGS:
    cargo test --workspace {{ ARGS }}

# The fault tests alone: disks, kills, what is between services, hostile clients, requests by chance, damaged bytes; `just faults long` runs their long forms
[group('test')]
faults form='short':
    JIYAO_FAULTS={{ form }} cargo test -p jiyao-tests --test jiyao -- faults between hostile requests decoders --nocapture --test-threads 1

# The ledger under so many orders of events (shuttle)
[group('test')]
orders many='10000':
    JIYAO_ORDERS={{ many }} cargo test --manifest-path tests/shuttle/Cargo.toml --target-dir target/shuttle -- --nocapture

# The ledger against a plain model of it, so many stories of 50 steps
[group('test')]
model stories='10000':
    PROPTEST_CASES={{ stories }} cargo test --release -p jiyao-ledger model -- --nocapture

# How well real and written minutes are read, by file and group, and how the doubts sit
[group('test')]
score:
    cargo test -p jiyao-tests --test jiyao -- corpus --nocapture --test-threads 1

# How fast: `speed` each kind of work against its floor (or some of `reads writes follows starts`), `reader`, `deliveries`
[group('test')]
bench which='speed' *parts:
    cargo bench --profile dist -p jiyao-tests --bench {{ which }} -- {{ parts }}

# Random input to a decoder of `jiyao_testkit::decoders`, e.g. read or table (needs nightly and cargo-fuzz)
[group('test')]
fuzz what='read' seconds='1200':
    JIYAO_DECODER={{ what }} cargo run -q -p jiyao-fuzz -- tests/fuzz/corpus/{{ what }}
    JIYAO_DECODER={{ what }} cargo +nightly fuzz run --fuzz-dir tests/fuzz --features libfuzzer decoder tests/fuzz/corpus/{{ what }} -- -max_total_time={{ seconds }} -max_len=20000

# Formatting
[group('check')]
fmt:
    cargo fmt --all

# Formatting, lints, layers and generated code
[group('check')]
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    cargo xtask layers
    cargo xtask proto --check

# Bans, licences and sources of dependencies (needs cargo-deny)
[group('check')]
deny:
    cargo deny check bans licenses sources

# Write the generated code from proto/
[group('generate')]
proto:
    cargo xtask proto

# Everything that CI runs
[group('ci')]
ci:
    bash .ci/run
