// Package stdlib holds the Lua modules that several runbooks share; a runbook
// says require "std.health". It contains no Go code beyond the list.
package stdlib

import "embed"

//go:embed *.lua
var files embed.FS

// Sources are the modules by the name under which they are required.
func Sources() map[string][]byte {
	sources := map[string][]byte{}
	entries, err := files.ReadDir(".")
	if err != nil {
		return sources // the embedded folder cannot be missing
	}
	for _, e := range entries {
		text, err := files.ReadFile(e.Name())
		if err == nil {
			sources["std."+e.Name()[:len(e.Name())-len(".lua")]] = text
		}
	}
	return sources
}
