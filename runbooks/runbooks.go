// Package runbooks holds the plan's runbooks, drills and worlds, so that
// `drhost init` can write them into a new working folder. It contains no code.
package runbooks

import "embed"

// Files are the runbooks, drills/ and worlds/, and a drhost.toml to begin with.
//
//go:embed *.lua drills/*.lua worlds/*.toml drhost.toml
var Files embed.FS
