package tests

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const (
	module = "github.com/webhost-systems/drhost"
	root   = ".."
)

// pkg is a package with what it imports, tests left aside. Ours are named
// without the module: "host/gate"; the module's own folder would be ".".
type pkg struct {
	path    string
	imports []string
}

// layers orders the packages of host: each imports only what stands above it
// here, and what lies under itself.
var layers = [][]string{
	{"host/fault", "host/clock", "host/words"},
	{"host/secret", "host/approval", "host/lever"},
	{"host/binding", "host/journal"},
	{"host/policy", "host/config", "host/network", "host/report", "host/plan"},
	{"host/gate"},
	{"host/run"},
	{"host/sandbox", "host/check", "host/reference", "host/terminal", "host/drill", "host/readiness", "host/comms"},
	{"host"},
}

// only names what few packages may import, and which: the one place that
// knows a library. Folders count with what lies under them.
var only = []struct {
	library string
	by      []string
	why     string
}{
	{"github.com/yuin/gopher-lua", []string{"host/sandbox"}, "the Lua VM belongs to host/sandbox alone"},
	{"github.com/yuin/gopher-lua/ast", []string{"host/sandbox", "host/check"}, "Lua's syntax tree belongs to host/sandbox and host/check"},
	{"github.com/yuin/gopher-lua/parse", []string{"host/sandbox", "host/check"}, "Lua's parser belongs to host/sandbox and host/check"},
	{"github.com/yuin/gopher-lua/pm", []string{"host/sandbox"}, "the Lua VM belongs to host/sandbox alone"},
	{"layeh.com/gopher-luar", []string{"host/sandbox"}, "Go objects enter Lua in host/sandbox alone"},
	{"github.com/hetznercloud/hcloud-go/v2/hcloud", []string{"bindings/hetzner"}, "a vendor's client belongs to its binding"},
	{"github.com/cloudflare/cloudflare-go", []string{"bindings/cloudflare"}, "a vendor's client belongs to its binding"},
	{"github.com/spf13/cobra", []string{"cmd"}, "the command line belongs to cmd"},
}

func TestLayers(t *testing.T) {
	pkgs, err := ourPackages(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(pkgs) < 20 {
		t.Fatalf("only %d packages were listed", len(pkgs))
	}
	for _, problem := range judgeImports(pkgs) {
		t.Error(problem)
	}
}

// ourPackages lists the packages of the module in folder.
func ourPackages(folder string) ([]pkg, error) {
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports", "./...")
	cmd.Dir = folder
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, complaints.String())
	}
	var pkgs []pkg
	for d := json.NewDecoder(bytes.NewReader(text)); ; {
		var listed struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&listed); errors.Is(err, io.EOF) {
			return pkgs, nil
		} else if err != nil {
			return nil, fmt.Errorf("read go list: %w", err)
		}
		p := pkg{path: short(listed.ImportPath)}
		for _, i := range listed.Imports {
			p.imports = append(p.imports, short(i))
		}
		pkgs = append(pkgs, p)
	}
}

// short names a package of ours without the module.
func short(path string) string {
	if path == module {
		return "."
	}
	return strings.TrimPrefix(path, module+"/")
}

// judgeImports returns every import that the design forbids.
func judgeImports(pkgs []pkg) []string {
	var problems []string
	isOurs := map[string]bool{}
	for _, p := range pkgs {
		isOurs[p.path] = true
	}
	for _, p := range pkgs {
		allowed, rule := mayImport(p.path)
		if allowed == nil {
			problems = append(problems, fmt.Sprintf("%s has no place in the layout: %s", p.path, rule))
			continue
		}
		for _, i := range p.imports {
			// Not all of ours need be listed: one that is missing still counts.
			if (isOurs[i] || oursByName(i)) && !allowed(i) {
				problems = append(problems, fmt.Sprintf("%s imports %s: %s", p.path, i, rule))
			}
			problems = append(problems, foreign(p.path, i)...)
		}
	}
	return append(problems, catalog(pkgs)...)
}

func oursByName(path string) bool {
	return slices.ContainsFunc([]string{"cmd", "host", "bindings", "stdlib", "runbooks", "tests"}, func(top string) bool { return within(path, top) })
}

// within tells whether path is folder or lies under it.
func within(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

// mayImport tells which packages of ours p may import, and by which rule; nil
// when p has no place.
func mayImport(p string) (allowed func(string) bool, rule string) {
	top, below, _ := strings.Cut(p, "/")
	switch top {
	case "cmd":
		return anyOf("host", "bindings", "stdlib", "runbooks"), "cmd imports host, bindings, stdlib and runbooks only; it holds no logic"
	case "stdlib", "runbooks":
		return anyOf(), top + " only embeds its scripts"
	case "tests":
		return func(string) bool { return true }, ""
	case "bindings":
		return underBindings(p, below)
	case "host":
		return underHost(p)
	}
	return nil, "the folders are cmd, host, bindings, stdlib, runbooks and tests"
}

func anyOf(paths ...string) func(string) bool {
	return func(i string) bool { return slices.Contains(paths, i) }
}

func underBindings(p, below string) (func(string) bool, string) {
	name, _, _ := strings.Cut(below, "/")
	own := "bindings/" + name
	switch {
	case below == "":
		return func(i string) bool {
			return within(i, "bindings") && !simulator(i) || anyOf("host/binding", "host/clock")(i)
		}, "the catalog imports the bindings, the world, and of host only binding and clock"
	case name == "world":
		return func(i string) bool {
			return i == "host/clock" || within(i, own) || simulator(i)
		}, "the world imports simulators and, of host, only clock; nothing of a binding"
	case simulator(p):
		return func(i string) bool {
			return i == "host/clock" || simulator(i) && within(i, simulatorOf(p))
		}, "a simulator imports nothing of its binding and, of host, only clock, so that a mistyped wire name cannot agree with itself"
	}
	return func(i string) bool {
		return anyOf("host/binding", "host/fault", "host/secret", "host/clock")(i) || within(i, own) && !simulator(i) || i == link && slices.Contains(linked, own)
	}, "a binding imports only binding, fault, secret and clock of host, and no other binding"
}

// link is no binding: it is what the linked ones share about SSH, so that host
// keys are checked in one place.
const link = "bindings/sshlink"

var linked = []string{"bindings/ssh", "bindings/backup"}

// simulator tells whether p is a <provider>sim or lies under one.
func simulator(p string) bool { return simulatorOf(p) != "" }

func simulatorOf(p string) string {
	parts := strings.Split(p, "/")
	if parts[0] != "bindings" {
		return ""
	}
	for n := 2; n < len(parts); n++ {
		if strings.HasSuffix(parts[n], "sim") {
			return strings.Join(parts[:n+1], "/")
		}
	}
	return ""
}

func underHost(p string) (func(string) bool, string) {
	noun := p
	if parts := strings.Split(p, "/"); len(parts) > 2 {
		noun = strings.Join(parts[:2], "/")
	}
	level := levelOf(noun)
	if level < 0 {
		return nil, "give it a line in layers of tests/layers_test.go, and in the design"
	}
	switch noun {
	case "host":
		return func(i string) bool { return strings.HasPrefix(i, "host/") || i == "runbooks" },
			"host imports what lies under it and the runbooks that init lays down; bindings, stdlib and worlds are handed to it"
	case "host/report":
		return func(i string) bool { return i == "host/journal" || i == "host/fault" || within(i, noun) },
			"a report reads journals only: what the journal lacks did not happen"
	case "host/journal":
		return func(i string) bool { return i == "host/fault" || i == "host/clock" || within(i, noun) },
			"the journal knows neither Lua nor a provider"
	}
	return func(i string) bool {
		if !within(i, "host") {
			return false
		}
		if noun != "host" && within(i, noun) {
			return true
		}
		parts := strings.Split(i, "/")
		other := levelOf(strings.Join(parts[:min(len(parts), 2)], "/"))
		return other >= 0 && other < level
	}, "nothing imports upward or sideways: in host a package imports only what stands before it in layers, and never a binding"
}

func levelOf(noun string) int {
	return slices.IndexFunc(layers, func(level []string) bool { return slices.Contains(level, noun) })
}

// foreign returns the problem with an import that is not ours.
func foreign(p, library string) []string {
	best := -1
	for n, o := range only {
		if within(library, o.library) && (best < 0 || len(o.library) > len(only[best].library)) {
			best = n
		}
	}
	if best < 0 {
		return nil
	}
	o := only[best]
	if slices.ContainsFunc(o.by, func(folder string) bool { return within(p, folder) }) && !simulator(p) {
		return nil
	}
	return []string{fmt.Sprintf("%s imports %s: %s", p, library, o.why)}
}

// catalog returns the bindings that the explicit list leaves out.
func catalog(pkgs []pkg) []string {
	at := slices.IndexFunc(pkgs, func(p pkg) bool { return p.path == "bindings" })
	if at < 0 {
		return nil
	}
	var problems []string
	for _, p := range pkgs {
		parts := strings.Split(p.path, "/")
		if len(parts) == 2 && parts[0] == "bindings" && p.path != link && !slices.Contains(pkgs[at].imports, p.path) {
			problems = append(problems, p.path+" is not in the catalog: bindings/catalog.go lists every binding")
		}
	}
	return problems
}

// TestLayersFailWhenBroken holds the rules against imports that break them.
func TestLayersFailWhenBroken(t *testing.T) {
	const lua = "github.com/yuin/gopher-lua"
	for _, c := range []struct {
		from, to string
		want     string // part of the complaint; empty: allowed
	}{
		{"cmd/drhost", "host", ""},
		{"cmd/drhost", "bindings", ""},
		{"cmd/drhost", "stdlib", ""},
		{"cmd/drhost", "runbooks", ""},
		{"cmd/drhost", "github.com/spf13/cobra", ""},
		{"cmd/drhost", "host/gate", "it holds no logic"},
		{"cmd/drhost", "bindings/hetzner", "it holds no logic"},
		{"host/run", "github.com/spf13/cobra", "belongs to cmd"},

		{"bindings/hetzner", "host/binding", ""},
		{"bindings/hetzner", "host/secret", ""},
		{"bindings/hetzner", "github.com/hetznercloud/hcloud-go/v2/hcloud/schema", ""},
		{"bindings/hetzner", "host/gate", "a binding imports only"},
		{"bindings/hetzner", "host", "a binding imports only"},
		{"bindings/hetzner", "host/journal", "a binding imports only"},
		{"bindings/hetzner", "bindings/pg", "no other binding"},
		{"bindings/hetzner", "bindings/pg/not/listed", "no other binding"},
		{"bindings/hetzner", "bindings", "no other binding"},
		{"bindings/hetzner", "bindings/hetzner/hetznersim", "a binding imports only"},
		{"bindings/hetzner", lua, "the Lua VM belongs to"},
		{"bindings/http", "bindings/httpsimple", "no other binding"},
		{"bindings/pg", "github.com/hetznercloud/hcloud-go/v2/hcloud", "belongs to its binding"},

		{"bindings/ssh", "bindings/sshlink", ""},
		{"bindings/backup/store/sftpstore", "bindings/sshlink", ""},
		{"bindings/hetzner", "bindings/sshlink", "no other binding"},
		{"bindings/sshlink", "bindings/ssh", "no other binding"},
		{"bindings/sshlink", "host/binding", ""},

		{"bindings/hetzner/hetznersim", "host/clock", ""},
		{"bindings/hetzner/hetznersim", "bindings/hetzner", "cannot agree with itself"},
		{"bindings/hetzner/hetznersim", "bindings/cloudflare/cloudflaresim", "cannot agree with itself"},
		{"bindings/hetzner/hetznersim", "host/fault", "cannot agree with itself"},
		{"bindings/hetzner/hetznersim", "github.com/hetznercloud/hcloud-go/v2/hcloud", "belongs to its binding"},
		{"bindings/hetzner/hetznersim/shape", "bindings/hetzner", "cannot agree with itself"},

		{"bindings/world", "bindings/hetzner/hetznersim", ""},
		{"bindings/world", "bindings/world/machine", ""},
		{"bindings/world", "bindings/hetzner", "nothing of a binding"},
		{"bindings/world", "host/sandbox", "nothing of a binding"},
		{"bindings/world/machine", "host/drill", "of host, only clock"},
		{"bindings/world/machine", "host/journal", "of host, only clock"},

		{"bindings", "host/binding", ""},
		{"bindings", "bindings/world", ""},
		{"bindings", "host", "the catalog imports"},
		{"bindings", "bindings/hetzner/hetznersim", "the catalog imports"},

		{"host/sandbox", lua, ""},
		{"host/sandbox", "layeh.com/gopher-luar", ""},
		{"host/sandbox", "host/run", ""},
		{"host/check", lua + "/parse", ""},
		{"host/check", lua + "/ast", ""},
		{"host/check", lua, "the Lua VM belongs to"},
		{"host/check", "layeh.com/gopher-luar", "enter Lua in host/sandbox alone"},
		{"host/check", "host/sandbox", "nothing imports upward or sideways"},
		{"host/reference", lua + "/parse", "Lua's parser belongs to"},
		{"tests/luafuzz", lua, "the Lua VM belongs to"},

		{"host/gate", "host/policy", ""},
		{"host/gate", "host/sandbox", "nothing imports upward"},
		{"host/gate", "host/run", "nothing imports upward"},
		{"host/gate", "bindings/pg", "never a binding"},
		{"host/gate", lua, "the Lua VM belongs to"},
		{"host/run", "host/sandbox", "nothing imports upward"},
		{"host/policy", "host/gate", "nothing imports upward"},
		{"host/binding", "host", "nothing imports upward"},
		{"host/fault", "host/clock", "nothing imports upward or sideways"},
		{"host/journal", "host/binding", "knows neither Lua nor a provider"},
		{"host/journal/filestore", "host/journal", ""},
		{"host/journal/filestore", "host/gate", "knows neither Lua nor a provider"},
		{"host/report", "host/journal", ""},
		{"host/report", "host/fault", ""},
		{"host/report", "host/clock", "a report reads journals only"},
		{"host/report", "host/gate", "a report reads journals only"},
		{"host/report", "host/journal/filestore", "a report reads journals only"},
		{"host", "host/sandbox", ""},
		{"host", "bindings", "handed to it"},
		{"host", "stdlib", "handed to it"},
		{"host/util", "fmt", "has no place in the layout"},
		{"internal/x", "fmt", "has no place in the layout"},
		{"stdlib", "embed", ""},
		{"stdlib", "host", "only embeds"},
		{"runbooks", "host/sandbox", "only embeds"},
		{"tests/luafuzz", "host/sandbox", ""},
	} {
		problems := judgeImports([]pkg{{c.from, []string{"context", c.to}}})
		got := strings.Join(problems, "\n")
		if c.want == "" && got != "" {
			t.Errorf("%s may import %s, but: %s", c.from, c.to, got)
		}
		if c.want != "" && (len(problems) != 1 || !strings.Contains(got, c.want)) {
			t.Errorf("%s imports %s: got %q, want one complaint with %q", c.from, c.to, got, c.want)
		}
	}
}

func TestCatalogIsWhole(t *testing.T) {
	got := judgeImports([]pkg{{"bindings", []string{"bindings/pg"}}, {"bindings/pg", nil}, {"bindings/dns", nil}, {"bindings/hetzner/hetznersim", nil}})
	if len(got) != 1 || !strings.HasPrefix(got[0], "bindings/dns is not in the catalog") {
		t.Errorf("got %q", got)
	}
}
