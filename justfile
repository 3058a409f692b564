# `just check` runs what CI runs.

# all checks and tests
check:
    .ci/run

# the tests alone
test *arguments:
    cargo test --workspace {{arguments}}

# formats the sources
format:
    cargo fmt --all

# the whole story on sample data
demo:
    cargo run --release -- demo

# appends next to a raw file, on this machine
bench *arguments:
    cargo run --release -- bench {{arguments}}

# how fast queries are, over a log of so many events in a directory
query-speed dir events="1000000":
    cargo run --release --example query_speed -- {{dir}} {{events}}
