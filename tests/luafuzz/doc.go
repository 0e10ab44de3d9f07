// Package luafuzz compares the Lua of host/sandbox with PUC Lua 5.1: it makes
// random programs that end by themselves and print as they go, runs each under
// both, and reports every difference. It must never write outside a temporary
// folder, and never generate what the two are documented to do differently
// (host/sandbox/DEVIATIONS.md).
package luafuzz

import (
	"fmt"
	"strings"
)

// Program is a random program; its seed makes it again.
type Program struct {
	Seed  uint64
	block *block
}

// block is a list of statements, stmt one statement: text and inner blocks in
// turn. Keeping the tree makes shrinking a matter of dropping statements.
type block struct{ stmts []*stmt }

type stmt struct{ parts []any }

func text(format string, args ...any) *stmt { return &stmt{[]any{fmt.Sprintf(format, args...)}} }

// Source is the program's text, prelude included.
func (p *Program) Source() string {
	var b strings.Builder
	b.WriteString(prelude)
	p.block.write(&b, "")
	return b.String()
}

func (bl *block) write(b *strings.Builder, indent string) {
	for _, s := range bl.stmts {
		b.WriteString(indent)
		for _, part := range s.parts {
			switch part := part.(type) {
			case string:
				b.WriteString(part)
			case *block:
				b.WriteString("\n")
				part.write(b, indent+"  ")
				b.WriteString(indent)
			}
		}
		b.WriteString("\n")
	}
}

// prelude holds what programs print and stay small with, on one line each:
// P prints, K counts calls and stops what makes too many, R lets it count anew, M and S
// keep numbers and strings small, Z turns -0 into 0, C copies a list, W drops from an error message what may differ.
var prelude = strings.TrimLeft(`
local _show; _show = function(v, d) local t = type(v); if t == "number" then if v ~= v then return "nan" end return v == 0 and "0" or tostring(v) elseif t == "string" then return string.format("%q", v) elseif t ~= "table" then return t == "function" and t or tostring(v) end if d > 2 then return "{...}" end local r = {} for i = 1, #v do r[#r + 1] = _show(v[i], d + 1) end local ks = {} for k in pairs(v) do if type(k) == "string" then ks[#ks + 1] = k end end table.sort(ks) for i, k in ipairs(ks) do r[#r + 1] = k .. "=" .. _show(v[k], d + 1) end return "{" .. table.concat(r, ",") .. "}" end
local _lines, _calls = 0, 0
local function P(...) _lines = _lines + 1 if _lines > 400 then return end local r = {} for i = 1, select("#", ...) do r[i] = _show((select(i, ...)), 0) end print(table.concat(r, " ")) end
local function K() _calls = _calls + 1 if _calls > 90 then error("Elimit", 0) end end
local function R() _calls = 0 end
local function Z(x) if x == 0 then return 0 end return x end
local function M(x) if x ~= x or x > 1000000 or x < -1000000 then return 7 end return Z(math.floor(x)) end
local function C(t) local r = {} for i = 1, #t do r[i] = Z(t[i]) end return r end
local function S(s) if string.sub(s, 1, 6) == "table:" then return "table" end return string.sub(s, 1, 12) end
local function W(e) if type(e) ~= "string" then return e end local at, rest = string.match(e, "^([^:]+:%d+:) (.*)$") if rest and string.sub(rest, 1, 1) ~= "E" then return at .. " ?" end return e end
`, "\n")
