package check_test

import (
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/host/check"
	"github.com/webhost-systems/drhost/host/sandbox"
	"github.com/webhost-systems/drhost/host/words"
)

// What the checker takes for Lua's library is what the sandbox has, no more
// and no less: each name is tried in both.
func TestLibraryIsTheSandboxes(t *testing.T) {
	there := words.Base()
	for table, names := range words.Library() {
		for _, name := range names {
			there = append(there, table+"."+name)
		}
	}
	for _, w := range words.All() {
		there = append(there, w.Name)
	}
	for _, name := range there {
		if problem := tried(t, name); problem != "" {
			t.Errorf("%s: %s", name, problem)
		}
	}
	for _, a := range words.Absent() {
		for _, name := range a.Names {
			if problem := tried(t, name); problem == "" {
				t.Errorf("%s is said to be missing, and is there", name)
			}
		}
	}
}

// tried is what the sandbox has against a mention of name; the checker must
// agree with it.
func tried(t *testing.T, name string) string {
	t.Helper()
	source := []byte("local tried = " + name + "\nassert(tried ~= nil)\nreturn runbook { title = \"x\", run = function() return tried end }")
	_, err := sandbox.Load(sandbox.Options{Source: sandbox.Source{File: "x.lua", Text: source}, Catalog: catalog(t)})
	checked := ""
	for _, p := range check.File("x.lua", source, check.Options{Catalog: catalog(t)}) {
		checked += p.String()
	}
	if (err == nil) != (checked == "") {
		t.Errorf("%s: the sandbox says %v, the checker %q", name, err, checked)
	}
	if err == nil {
		return ""
	}
	return strings.TrimSpace(err.Error())
}
