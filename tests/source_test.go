package tests

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// ownTime lists files outside host/clock that may read the time or wait by
// themselves, each with its reason. An entry that is not needed is a failure.
var ownTime = map[string]string{}

// clockWords are what the time package offers for reading the time and
// waiting; host/clock has them for everybody.
var clockWords = []string{"Now", "Sleep", "Since", "Until", "After", "Tick", "NewTimer", "NewTicker", "AfterFunc"}

// TestSource reads every file that is built: none starts anything by being
// imported, and none but host/clock reads the time.
func TestSource(t *testing.T) {
	files, needed := 0, map[string]bool{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := d.Name(); name != root && (base == "testdata" || strings.HasPrefix(base, ".")) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		files++
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		problems, err := readSource(filepath.ToSlash(rel), text)
		for _, p := range problems {
			if _, allowed := ownTime[p.file]; allowed && p.time {
				needed[p.file] = true
			} else {
				t.Error(p)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 50 {
		t.Fatalf("only %d files were read", files)
	}
	for name := range maps.Keys(ownTime) {
		if !needed[name] {
			t.Errorf("%s is allowed a time of its own and does not need it", name)
		}
	}
}

// problem is a line that the style forbids.
type problem struct {
	file string
	line int
	text string
	time bool
}

func (p problem) String() string { return fmt.Sprintf("%s:%d: %s", p.file, p.line, p.text) }

// readSource returns the problems of one file.
func readSource(name string, text []byte) ([]problem, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var problems []problem
	found := func(at token.Pos, isTime bool, text string) {
		problems = append(problems, problem{name, set.Position(at).Line, text, isTime})
	}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			found(f.Pos(), false, "func init: registration is explicit, so that an import has no effect")
		}
	}
	if path.Dir(name) == "host/clock" {
		return problems, nil
	}
	imported := ""
	for _, i := range file.Imports {
		if p, err := strconv.Unquote(i.Path.Value); err == nil && p == "time" {
			imported = "time"
			if i.Name != nil {
				imported = i.Name.Name
			}
			if imported == "." {
				found(i.Pos(), true, "the time package is imported without its name, so that its use cannot be seen")
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok || imported == "" {
			return true
		}
		if x, ok := s.X.(*ast.Ident); ok && x.Name == imported && slices.Contains(clockWords, s.Sel.Name) {
			found(s.Pos(), true, "time."+s.Sel.Name+": only host/clock reads the time and waits; take a clock.Clock")
		}
		return true
	})
	return problems, nil
}

func TestSourceFailsWhenBroken(t *testing.T) {
	for _, c := range []struct {
		file, body string
		want       []string
	}{
		{"host/gate/gate.go", `import "time"; var d = 3 * time.Second; func f(t time.Time) time.Time { return t }`, nil},
		{"host/gate/gate.go", `import "time"; func f() { time.Sleep(1) }`, []string{"host/gate/gate.go:1: time.Sleep: "}},
		{"host/gate/gate.go", "import \"time\"\n\nvar now = time.Now\n", []string{"host/gate/gate.go:3: time.Now: "}},
		{"bindings/pg/pg.go", `import clock "time"; func f() { <-clock.After(1) }`, []string{"bindings/pg/pg.go:1: time.After: "}},
		{"bindings/pg/pg.go", `import . "time"; func f() { Sleep(1) }`, []string{"without its name"}},
		{"bindings/pg/pg.go", `func f(time interface{ Now() int }) int { return time.Now() }`, nil},
		{"host/clock/clock.go", `import "time"; var now = time.Now`, nil},
		{"host/clock/clock.go", `func init() {}`, []string{"func init"}},
		{"host/run/run.go", `type t struct{}; func (t) init() {}`, nil},
		{"host/run/run.go", `import "time"; func init() { time.Now() }`, []string{"func init", "time.Now"}},
	} {
		problems, err := readSource(c.file, []byte("package p; "+c.body))
		if err != nil {
			t.Fatal(err)
		}
		if len(problems) != len(c.want) {
			t.Errorf("%s: %s: got %v, want %q", c.file, c.body, problems, c.want)
			continue
		}
		for n, p := range problems {
			if !strings.Contains(p.String(), c.want[n]) {
				t.Errorf("%s: %s: got %v, want %q", c.file, c.body, p, c.want[n])
			}
		}
	}
	if _, err := readSource("x.go", []byte("package")); err == nil {
		t.Error("a file that does not parse was accepted")
	}
}

// layout is what lies at the top of the repository, and nothing else.
var layout = []string{"cmd", "host", "bindings", "runbooks", "stdlib", "tests",
	"go.mod", "go.sum", "README.md", "CHANGELOG.md", "LICENSE", "Makefile", ".ci", ".gitignore"}

func TestLayout(t *testing.T) {
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	ignore, err := os.ReadFile(filepath.Join(root, ".gitignore"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range strangers(names, string(ignore)) {
		t.Error(p)
	}
}

// strangers compares the names at the top with the layout; what git ignores
// may lie there.
func strangers(names []string, gitignore string) []string {
	var problems []string
	ignored := append(strings.Fields(gitignore), ".git")
	for _, name := range names {
		known := slices.Contains(layout, name) || slices.ContainsFunc(ignored, func(pattern string) bool {
			ok, err := path.Match(strings.Trim(pattern, "/"), name)
			return ok && err == nil
		})
		if !known {
			problems = append(problems, name+" is not part of the layout")
		}
	}
	for _, name := range layout {
		if !slices.Contains(names, name) {
			problems = append(problems, name+" is missing")
		}
	}
	return problems
}

func TestLayoutFailsWhenBroken(t *testing.T) {
	const ignore = "/drhost\n/bin/\n.drhost/\n*.prof\n"
	whole := append([]string{".git", ".drhost", "bin", "drhost", "cpu.prof"}, layout...)
	if got := strangers(whole, ignore); len(got) != 0 {
		t.Errorf("a whole layout: %q", got)
	}
	if got := strangers(append(whole, "pkg"), ignore); len(got) != 1 || got[0] != "pkg is not part of the layout" {
		t.Errorf("a stranger: %q", got)
	}
	if got := strangers(whole[:len(whole)-1], ignore); len(got) != 1 || got[0] != ".gitignore is missing" {
		t.Errorf("a gap: %q", got)
	}
}
