module bulla.dev/interop

go 1.19

require golang.org/x/mod v0.7.0

// The Debian package golang-golang-x-mod-dev, so that nothing is fetched.
replace golang.org/x/mod => /usr/share/gocode/src/golang.org/x/mod
