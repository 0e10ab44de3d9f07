// Package stdlib holds the Lua modules that several runbooks share; a runbook
// says require "std.health". In verbs/ are the runbooks behind verbs of the
// command line. It contains no Go code beyond the lists.
package stdlib

import (
	"embed"
	"path"
)

//go:embed *.lua verbs/*.lua
var files embed.FS

// Sources are the modules by the name under which they are required.
func Sources() map[string][]byte { return in(".", "std.") }

// Verbs are the runbooks of the program's own, by name: "backup_create".
func Verbs() map[string][]byte { return in("verbs", "") }

func in(folder, prefix string) map[string][]byte {
	sources := map[string][]byte{}
	entries, err := files.ReadDir(folder)
	if err != nil {
		return sources // the embedded folder cannot be missing
	}
	for _, e := range entries {
		text, err := files.ReadFile(path.Join(folder, e.Name()))
		if err == nil && !e.IsDir() {
			sources[prefix+e.Name()[:len(e.Name())-len(".lua")]] = text
		}
	}
	return sources
}
