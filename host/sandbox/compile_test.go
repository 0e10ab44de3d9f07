package sandbox

import (
	"errors"
	"strings"
	"testing"
)

func TestSyntaxErrors(t *testing.T) {
	var deep, wide strings.Builder
	deep.WriteString("return " + strings.Repeat("{", 5000) + strings.Repeat("}", 5000))
	for range 300 {
		wide.WriteString("local x = 1\n")
	}
	for name, c := range map[string]struct{ source, want string }{
		"unfinished":            {"local x =", "t.lua:1: syntax error at the end of the file"},
		"wrong token":           {"local x = 1\nlocal = 2", `t.lua:2: syntax error near "="`},
		"unfinished string":     {"local x = \"abc\nlocal y", `t.lua:2: unterminated string near "abc"`},
		"assigned global":       {"local x\nx, y = 1, 2", "t.lua:2: global 'y' is not declared; use local"},
		"global function":       {"function f() end", "t.lua:1: global 'f' is not declared; use local function f"},
		"assigned library":      {"string = nil", "t.lua:1: global 'string' is not declared; use local"},
		"goto":                  {"do goto x end ::x::", "t.lua:1: goto is not part of Lua 5.1"},
		"break alone":           {"\nbreak", "t.lua:2: break outside a loop"},
		"break in a function":   {"while true do local function f() break end end", "t.lua:1: break outside a loop"},
		"varargs":               {"local function f()\n return ... end", "t.lua:2: '...' outside a function"},
		"malformed number":      {"local x = 1e", "t.lua:1: "},
		"call on the next line": {"local x = f\n(g or h)()", "t.lua:2: ambiguous syntax"},
		"nested tables":         {deep.String(), "t.lua:1: nested too deeply"},
		"nested functions":      {strings.Repeat("return function() ", 1000) + strings.Repeat(" end", 1000), "nested too deeply"},
		"nested parentheses":    {"local x = " + strings.Repeat("-(", 3000) + "1" + strings.Repeat(")", 3000), "nested too deeply"},
		"long sum":              {"local x = 1" + strings.Repeat(" + 1", 3000), "nested too deeply"},
		"chain of calls":        {"local f return f" + strings.Repeat("()", 3000), "nested too deeply"},
		"locals":                {wide.String(), "too many local variables"},
		"arguments":             {"local f f(" + strings.Repeat("1, ", 300) + "1)", "too many local variables, or too large an expression"},
		"operands":              {"local x return x" + strings.Repeat(" .. x", 150), "more than 100 operands"},
		"size":                  {strings.Repeat(" ", maxSource+1), "at most 256 are read"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Compile("t.lua", []byte(c.source))
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
}

func TestLargeSources(t *testing.T) {
	items := strings.TrimSuffix(strings.Repeat("7,", 60_000), ",")
	for source, want := range map[string]string{
		"local t = {" + items + "} print(#t, t[60000])":                                              "60000\t7\n",
		"local x = 0 " + strings.Repeat("x = x + 1 ", 9_000) + " print(x)":                           "9000\n",
		"local t = {} " + strings.Repeat("if t.x then t.x = t.x .. 'y' end ", 3_000) + " print(t.x)": "nil\n",
	} {
		if got, err := runLua(t, source); err != nil || got != want {
			t.Errorf("%.30s...: printed %q, error %v; want %q", source, got, err, want)
		}
	}
}

// FuzzCompile looks for sources that make the compiler panic, or that compile
// to code which makes the VM fail by itself.
func FuzzCompile(f *testing.F) {
	for _, seed := range []string{"return 1", "local a, b = ... ; a.x, b = b, (a())", "for i = 1, 3 do if i then break end end",
		"local t = {1, x = f(), [2] = 'a' .. 'b'; ...}", "repeat local x = function() return x end until x", "x = 1", "goto a", "f\n()", "((((", "\x00", "--[==[", "return 0x, 1e, 08"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		_, err := Compile("t.lua", source)
		var syntax *SyntaxError
		if err != nil && !errors.As(err, &syntax) {
			t.Errorf("error of another type: %#v", err)
		}
		if err != nil && strings.Contains(err.Error(), "the compiler gave up") {
			t.Errorf("the compiler panicked: %v", err)
		}
	})
}
