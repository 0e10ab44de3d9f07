package tests

import (
	"bytes"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/webhost-systems/drhost/bindings"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/check"
	"github.com/webhost-systems/drhost/host/reference"
	"github.com/webhost-systems/drhost/stdlib"
)

var update = flag.Bool("update", false, "write what is generated out of the declarations anew")

// realCatalog is every declaration that drhost is built with.
func realCatalog(t *testing.T) *binding.Catalog {
	t.Helper()
	catalog, err := binding.NewCatalog(bindings.Modules()...)
	if err != nil {
		t.Fatal(err)
	}
	return catalog
}

// TestReference: the editor's stubs beside the runbooks say what the
// declarations say, and none is left of a module that is gone. With -update
// they are written anew.
func TestReference(t *testing.T) {
	root := filepath.Join("..", "runbooks")
	stubs := filepath.Join(root, "stubs")
	generated := map[string][]byte{filepath.Join(root, ".luarc.json"): reference.Luarc()}
	for name, text := range reference.Stubs(realCatalog(t)) {
		generated[filepath.Join(stubs, name)] = text
	}
	if *update {
		writeGenerated(t, stubs, generated)
	}
	for _, problem := range drift(t, stubs, generated) {
		t.Errorf("%s; `make reference` writes it anew", problem)
	}
}

// writeGenerated replaces the folder of stubs by what was generated.
func writeGenerated(t *testing.T, stubs string, generated map[string][]byte) {
	t.Helper()
	if err := os.RemoveAll(stubs); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(stubs, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, text := range generated {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// drift compares what was generated with what lies on disk.
func drift(t *testing.T, stubs string, generated map[string][]byte) []string {
	t.Helper()
	var problems []string
	for path, want := range generated {
		got, err := os.ReadFile(path)
		switch {
		case err != nil:
			problems = append(problems, path+" is missing")
		case !bytes.Equal(got, want):
			problems = append(problems, path+" is not what the declarations say")
		}
	}
	lying, err := filepath.Glob(filepath.Join(stubs, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range lying {
		if _, ok := generated[path]; !ok {
			problems = append(problems, path+" is of no module")
		}
	}
	slices.Sort(problems)
	return problems
}

// TestReferenceFailsWhenBroken drifts on purpose.
func TestReferenceFailsWhenBroken(t *testing.T) {
	stubs := t.TempDir()
	path := func(name string) string { return filepath.Join(stubs, name) }
	generated := map[string][]byte{path("a.lua"): []byte("a"), path("b.lua"): []byte("b"), path("c.lua"): []byte("c")}
	writeGenerated(t, stubs, generated)
	if problems := drift(t, stubs, generated); len(problems) > 0 {
		t.Errorf("written a moment ago, and yet: %v", problems)
	}
	for name, text := range map[string]string{"a.lua": "other", "d.lua": "d"} {
		if err := os.WriteFile(path(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(path("b.lua")); err != nil {
		t.Fatal(err)
	}
	want := []string{path("a.lua") + " is not what the declarations say", path("b.lua") + " is missing", path("d.lua") + " is of no module"}
	if problems := drift(t, stubs, generated); !slices.Equal(problems, want) {
		t.Errorf("found %v, want %v", problems, want)
	}
}

// TestExamples: an operator may copy any example out of the reference.
func TestExamples(t *testing.T) {
	catalog := realCatalog(t)
	functions := 0
	for _, m := range catalog.Modules() {
		for _, f := range m.Functions {
			functions++
			for _, p := range check.Example(catalog, f) {
				t.Error(p)
			}
		}
	}
	if functions < 50 {
		t.Errorf("only %d functions were looked at", functions)
	}
}

// TestRunbooksCheck: the repository's own runbooks and drills leave nothing to
// complain of, and neither do the modules they share.
func TestRunbooksCheck(t *testing.T) {
	options := check.Options{Catalog: realCatalog(t), Std: stdlib.Sources(), World: bindings.WorldVerbs()}
	files := 0
	err := filepath.WalkDir(filepath.Join("..", "runbooks"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "stubs" || d.Name() == ".drhost") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".lua" {
			return nil
		}
		files++
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, p := range check.File(path, source, options) {
			t.Error(p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 4 {
		t.Errorf("only %d runbooks and drills were looked at", files)
	}
	for name, source := range stdlib.Sources() {
		for _, p := range check.Module(name, source, options) {
			t.Error(p)
		}
	}
}
