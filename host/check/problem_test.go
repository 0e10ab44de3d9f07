package check_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/check"
	"github.com/webhost-systems/drhost/host/words"
)

const typo = `local hetzner = require "hetzner"
return runbook {
  title = "x",
  run = function() hetzner.servr { name = "a" } end,
}
`

func TestProblemReads(t *testing.T) {
	got := check.File("runbooks/x.lua", []byte(typo), check.Options{Catalog: catalog(t)})
	if len(got) != 1 {
		t.Fatalf("problems: %v", got)
	}
	want := check.Problem{File: "runbooks/x.lua", Line: 4, Column: 28, Code: check.CodeFunction, Severity: check.Error,
		Message: "there is no function hetzner.servr", Suggestion: "server"}
	if got[0].Message, _, _ = strings.Cut(got[0].Message, "; there are"); got[0] != want {
		t.Errorf("got  %+v\nwant %+v", got[0], want)
	}
	if text := got[0].String(); text != `runbooks/x.lua:4: there is no function hetzner.servr; did you mean "server"?` {
		t.Error(text)
	}
	warning := check.Problem{File: "x.lua", Line: 1, Message: "m", Severity: check.Warning}
	if warning.String() != "x.lua:1: warning: m" {
		t.Error(warning.String())
	}
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	problems := check.File("x.lua", []byte(typo), check.Options{Catalog: catalog(t)})
	if err := check.JSON(&b, problems); err != nil {
		t.Fatal(err)
	}
	var back []check.Problem
	if err := json.Unmarshal(b.Bytes(), &back); err != nil || !reflect.DeepEqual(back, problems) {
		t.Errorf("%v: %s", err, b.String())
	}
	b.Reset()
	if err := check.JSON(&b, nil); err != nil || strings.TrimSpace(b.String()) != "[]" {
		t.Errorf("%v: %q is no empty list", err, b.String())
	}
}

func TestTitles(t *testing.T) {
	source := `local function helper() return step("Helped", function() end) end
return runbook { title = "x", run = function()
  step("First", function() helper() end)
  parallel("Both", {
    a = function() step("Inner", function() end) end,
  })
  each("All", { 1 }, function() step("One", function() end) end)
end }`
	got, err := check.Titles([]byte(source))
	if err != nil {
		t.Fatal(err)
	}
	want := []check.TitleAt{
		{"Helped", 1, 1, "step", "First / Helped"}, {"First", 3, 3, "step", "First"}, {"Both", 4, 5, "parallel", "Both"},
		{"Inner", 5, 5, "step", "Both / a / Inner"}, {"All", 7, 7, "each", "All"}, {"One", 7, 7, "step", "All / <item> / One"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	if _, err := check.Titles([]byte("return {\n  a b\n}")); err == nil || !strings.HasPrefix(err.Error(), "line 2: ") {
		t.Errorf("wrong syntax: %v", err)
	}
}

func TestRequires(t *testing.T) {
	source := "local ssh, health = require \"ssh\", require \"std.outage\"\nreturn drill { expect = function() local pg = require \"pg\" end }"
	if got := check.Requires([]byte(source), std()); !reflect.DeepEqual(got, []string{"http", "pg", "ssh"}) {
		t.Errorf("got %v", got)
	}
	if got := check.Requires([]byte("local = "), nil); got != nil {
		t.Errorf("wrong syntax: %v", got)
	}
	circle := map[string][]byte{"std.a": []byte("require 'std.b'"), "std.b": []byte("require 'std.a' require 'dns'")}
	if got := check.Requires([]byte("require 'std.a'"), circle); !reflect.DeepEqual(got, []string{"dns"}) {
		t.Errorf("modules that require each other: %v", got)
	}
	clean := `local a = require "std.a" return runbook { title = "x", run = function() print(a) end }`
	if got := check.File("x.lua", []byte(clean), check.Options{Catalog: catalog(t), Std: circle}); len(got) != 0 {
		t.Errorf("modules that require each other: %v", got)
	}
}

func TestModule(t *testing.T) {
	o := check.Options{Catalog: catalog(t), Std: std()}
	for name, source := range std() {
		for _, p := range check.Module(name, source, o) {
			if p.Severity == check.Error {
				t.Error(p)
			}
		}
	}
	wrong := "local http = require \"http\"\nhttp.check { url = \"x\" }\nreturn { f = function() return http.chek {} end }"
	got := check.Module("std.x", []byte(wrong), o)
	if len(got) != 2 || got[0].Line != 2 || got[0].Code != check.CodeLoad || got[1].Line != 3 || got[1].Suggestion != "check" {
		t.Errorf("got %v", got)
	}
}

func TestExamples(t *testing.T) {
	c := catalog(t)
	for _, m := range c.Modules() {
		for _, f := range m.Functions {
			for _, p := range check.Example(c, f) {
				t.Error(p)
			}
		}
	}
	wrong, err := binding.NewCatalog(binding.NewModule("bad", "Bad.", func(binding.Env, settings) (*client, error) { return nil, nil },
		declare[nameArgs](binding.Reads, "server", "local s = bad.server { nam = \"x\" }\nprint(s.stat)", Server{})))
	if err != nil {
		t.Fatal(err)
	}
	got := check.Example(wrong, wrong.Function("bad.server"))
	if len(got) != 3 || got[0].Line != 1 || got[2].Line != 2 || got[0].File != "example of bad.server" {
		t.Errorf("got %v", got)
	}
}

func TestExamplesOfWords(t *testing.T) {
	for _, w := range words.All() {
		if w.Doc == "" || w.Example == "" {
			t.Errorf("%s has no doc or no example", w.Name)
		}
		for _, p := range check.Snippet(catalog(t), w.Name, w.Example) {
			t.Error(p)
		}
	}
}

func TestHostileSources(t *testing.T) {
	o := check.Options{Catalog: catalog(t), Std: std()}
	deep := strings.Repeat("(", 100_000) + "1" + strings.Repeat(")", 100_000)
	for name, source := range map[string]string{
		"empty":        "",
		"binary":       "\x00\xff\xfe\x01",
		"parentheses":  "return " + deep,
		"not":          "return " + strings.Repeat("not ", 60_000) + "1",
		"tables":       "return " + strings.Repeat("{", 60_000) + strings.Repeat("}", 60_000),
		"functions":    strings.Repeat("local function f() ", 5000) + strings.Repeat("end ", 5000),
		"concat":       "return 'a'" + strings.Repeat("..'a'", 60_000),
		"elseif":       "if x then " + strings.Repeat("elseif x then ", 10_000) + "end",
		"too large":    strings.Repeat("-", 300<<10),
		"unterminated": "return \"abc",
		"doubling":     doubling(),
	} {
		t.Run(name, func(t *testing.T) {
			if got := check.File(name, []byte(source), o); len(got) == 0 {
				t.Error("no problem found")
			}
		})
	}
}

// doubling is a script whose steps, written out, are more than can be counted.
func doubling() string {
	var b strings.Builder
	b.WriteString("local function f0() step('x', function() end) end\n")
	for i := 1; i < 40; i++ {
		b.WriteString(strings.ReplaceAll(strings.ReplaceAll("local function fN() fM() fM() end\n", "N", string(rune('0'+i/10))+string(rune('0'+i%10))), "M", before(i)))
	}
	return b.String()
}

func before(i int) string {
	if i == 1 {
		return "0"
	}
	i--
	return string(rune('0'+i/10)) + string(rune('0'+i%10))
}

func FuzzFile(f *testing.F) {
	f.Add(typo)
	f.Add("local hetzner = require \"hetzner\" local s = hetzner.servers {} s = { name = s } hetzner.server(s) for _, v in ipairs(s) do s.x = v.y end")
	f.Add("local a = {} a.b = a a.b.b = a return runbook { run = function(input) step(input.x, a, a) end }")
	scripts, err := filepath.Glob("testdata/*.lua")
	if err != nil || len(scripts) == 0 {
		f.Fatalf("no scripts to begin with: %v", err)
	}
	for _, name := range scripts {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("return drill { fault = function(world) local f = world.kill_server f(nil) end, expect = function(w, r) local g = r.result g() end }")
	o := check.Options{Catalog: catalog(f), Std: std(), World: []string{"kill_server", "requests"}}
	f.Fuzz(func(t *testing.T, source string) {
		check.File("x.lua", []byte(source), o)
	})
}
