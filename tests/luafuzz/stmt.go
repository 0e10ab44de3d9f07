package luafuzz

import (
	"fmt"
	"strings"
)

const exprDepth = 3

// statements makes one statement, sometimes with what belongs to it.
func (g *generator) statements(depth int) []*stmt {
	if depth <= 0 {
		return g.simple()
	}
	switch g.n(22) {
	case 0:
		return one("do", g.inner(depth), "end")
	case 1, 2, 3:
		return g.branch(depth)
	case 4:
		return g.while(depth)
	case 5:
		return g.repeat(depth)
	case 6, 7:
		return g.numericFor(depth)
	case 8, 9:
		return g.genericFor(depth)
	case 10, 11:
		return g.function(depth)
	case 12, 13:
		return g.protected(depth)
	case 14:
		return g.closures(depth)
	case 15:
		return g.object(depth)
	case 16:
		return g.recursion()
	}
	return g.simple()
}

func one(parts ...any) []*stmt { return []*stmt{{parts}} }

func (g *generator) simple() []*stmt {
	switch g.n(13) {
	case 0, 1, 2:
		return g.local()
	case 3, 4, 5:
		return g.assign()
	case 6, 7:
		return g.multiple()
	case 8:
		return g.tableChange()
	case 9:
		return g.stringWork()
	case 10:
		if g.varargs[len(g.varargs)-1] && g.chance(2) {
			return []*stmt{text("P(select('#', ...), ...)")}
		}
		return []*stmt{text("P(%s)", g.list(kind(g.n(int(kinds))), 1, 3, exprDepth))}
	case 11:
		return []*stmt{text("P(%s, %s)", g.anything(exprDepth), g.call(2))}
	}
	return []*stmt{g.dump()}
}

func (g *generator) local() []*stmt {
	if g.chance(6) {
		names := []string{g.name(), g.name(), g.name()}[:2+g.n(2)]
		right := g.pick("nil", g.anything(2), g.call(2))
		if g.varargs[len(g.varargs)-1] && g.chance(3) {
			right = "..."
		}
		s := text("local %s = %s, %s", strings.Join(names, ", "), g.anything(2), right)
		for _, n := range names {
			g.declare(n, anything)
		}
		return []*stmt{s}
	}
	if g.chance(8) {
		name := g.name()
		s := text("local %s", name)
		g.declare(name, anything)
		return []*stmt{s}
	}
	n := 1 + g.n(2)
	var names, values []string
	var ks []kind
	for range n {
		k := kind(g.n(int(kinds)))
		ks, names, values = append(ks, k), append(names, g.name()), append(values, g.expr(k, exprDepth))
	}
	for i, name := range names {
		g.declare(name, ks[i])
	}
	return []*stmt{text("local %s = %s", strings.Join(names, ", "), strings.Join(values, ", "))}
}

// target is something of kind k to assign to, or "".
func (g *generator) target(k kind) string {
	if g.chance(4) {
		switch k {
		case number:
			if v := g.variable(array); v != "" {
				return v + "[1]"
			}
		case anything:
			if v := g.variable(record); v != "" {
				return v + g.pick(".f", ".g", `["h"]`)
			}
		}
	}
	return g.variable(k)
}

// value is a value of kind k in the shapes that assignments go wrong with.
func (g *generator) value(k kind) string {
	switch g.n(4) {
	case 0:
		if k == anything {
			return fmt.Sprintf("%s %s %s", g.anything(2), g.pick("and", "or"), g.anything(2))
		}
		return strings.TrimSuffix(strings.TrimPrefix(g.logical(k, 2), "("), ")")
	case 1:
		if k == number {
			return g.pick("("+g.call(1)+")", g.call(1))
		}
		if k == anything && g.varargs[len(g.varargs)-1] {
			return g.pick("(...)", "...")
		}
	}
	return g.expr(k, exprDepth)
}

func (g *generator) assign() []*stmt {
	k := kind(g.n(int(kinds)))
	t := g.target(k)
	if t == "" {
		return g.local()
	}
	v := g.value(k)
	if k == str {
		v = "S(" + v + ")"
		if g.chance(3) {
			v = g.boolean(1) + " and " + g.literal() + " or " + v
		}
	}
	return []*stmt{text("%s = %s", t, v)}
}

func (g *generator) multiple() []*stmt {
	var targets, values []string
	for range 2 + g.n(2) {
		k := g.pickKind(number, number, anything, boolean, array, fnNum)
		t := g.target(k)
		if t == "" {
			continue
		}
		targets, values = append(targets, t), append(values, g.value(k))
	}
	if len(targets) < 2 {
		return g.assign()
	}
	if a, b := g.variable(number), g.variable(number); a != "" && g.chance(3) {
		targets, values = []string{a, b}, []string{b, a}
	}
	if v := g.variable(array); v != "" && g.chance(4) {
		targets = append(targets, v+"[1]", v)
		values = append(values, g.expr(number, 1), "{"+g.expr(number, 1)+"}")
	}
	if g.chance(6) {
		values = append(values, g.call(1))
	}
	return []*stmt{text("%s = %s", strings.Join(targets, ", "), strings.Join(values, ", "))}
}

func (g *generator) pickKind(ks ...kind) kind { return ks[g.n(len(ks))] }

func (g *generator) tableChange() []*stmt {
	v := g.variable(array)
	if v == "" {
		return g.local()
	}
	switch g.n(7) {
	case 0:
		return []*stmt{text("table.insert(%s, %s)", v, g.paren(g.expr(number, 2)))}
	case 1:
		return []*stmt{text("table.insert(%s, 1, %s)", v, g.paren(g.expr(number, 2)))}
	case 2:
		return []*stmt{text("P(table.remove(%s))", v)}
	case 3:
		return []*stmt{text("P(table.remove(%s, 1))", v)}
	case 4:
		return []*stmt{text("%s[#%s + 1] = %s", v, v, g.paren(g.expr(number, 2)))}
	case 5:
		return []*stmt{text("table.sort(%s%s)", v, g.pick("", ", function(p, q) return p > q end"))}
	}
	return []*stmt{text("P(unpack(%s, 1, %d))", v, g.n(5))}
}

func (g *generator) stringWork() []*stmt {
	s, p := "S("+g.expr(str, 2)+")", g.pattern()
	switch g.n(4) {
	case 0:
		return []*stmt{text("P(pcall(string.find, %s, %s, %d))", s, p, g.n(8)-3), text("P(%d)", g.n(9))}
	case 1:
		return []*stmt{text("do local r = {pcall(string.gsub, %s, %s, %s)} P(r[1], r[1] and r[2], r[1] and r[3]) end", s, p, g.replacement())}
	case 2:
		return []*stmt{text("for q, w in string.gmatch(%s, %s) do P(q, w) end", s, g.pick(`"%a+"`, `"(%w)(%w)"`, `"."`, `"()%w"`, `"%d*"`))}
	}
	return []*stmt{text("P(string.byte(%s, %d, %d))", s, g.n(6)-2, g.n(6)-2)}
}

// condition is what a branch or a loop tests, constants included.
func (g *generator) condition() string {
	if g.chance(5) {
		return g.pick("true", "false", "nil", "not true", "not nil", "1", "not (false or nil)", "false and true", "nil or true")
	}
	if g.chance(4) {
		return g.anything(2)
	}
	return g.boolean(exprDepth)
}

func (g *generator) branch(depth int) []*stmt {
	parts := []any{"if " + g.condition() + " then", g.inner(depth)}
	for range g.n(3) {
		parts = append(parts, "elseif "+g.condition()+" then", g.inner(depth))
	}
	if g.chance(2) {
		parts = append(parts, "else", g.inner(depth))
	}
	return one(append(parts, "end")...)
}

// object makes a value with metamethods and uses it.
func (g *generator) object(depth int) []*stmt {
	mt, o, q := g.unique("mt"), g.unique("o"), g.unique("o")
	g.varargs = append(g.varargs, false)
	e := g.expr(number, 2)
	g.varargs = g.varargs[:len(g.varargs)-1]
	out := []*stmt{
		text("local %s = {}", mt),
		text("%s.__index = %s", mt, g.pick("{f = 5, g = 'G'}", "function(t, k) return k .. '!' end", mt)),
		text("%s.__add = function(p, q) K() return %s + (type(q) == 'number' and q or 1) end", mt, e),
		text("%s.__sub = function(p, q) return 'sub' end %s.__unm = function(p) return -(%s) end", mt, mt, g.constant()),
		text("%s.__eq = function(p, q) return p.v == q.v end", mt),
		text("%s.__lt = function(p, q) return p.v < q.v end", mt),
		text("%s.__concat = function(p, q) return (type(p) == 'table' and 'T' or p) .. (type(q) == 'table' and 'T' or q) end", mt),
		text("%s.__call = function(self, p, ...) return p, select('#', ...), self.v end", mt),
		text("%s.__newindex = function(t, k, v) rawset(t, k .. '_', v) end", mt),
		text("%s.__tostring = function(t) return 'obj' .. Z(t.v) end", mt),
		text("local %s, %s = setmetatable({v = %s}, %s), setmetatable({v = %s}, %s)", o, q, g.paren(g.expr(number, 1)), mt, g.paren(g.expr(number, 1)), mt),
	}
	uses := []string{
		"P(%[1]s + 1, %[1]s + %[2]s, %[1]s - 3, -%[1]s)", "P(%[1]s == %[2]s, %[1]s ~= %[2]s, %[1]s < %[2]s, %[1]s <= %[2]s, %[1]s > %[2]s)",
		"P(%[1]s .. 'x', 'x' .. %[1]s, 1 .. %[1]s .. 2 .. %[2]s .. 'e')", "P(%[1]s(1, 2, 3), (%[2]s(4)))", "%[1]s.new = 1 P(%[1]s.new_, %[1]s.v, rawget(%[1]s, 'new'))",
		"P(S(tostring(%[1]s)), %[1]s.f, %[1]s.zzz)", "P(pcall(function() return %[1]s * 2 end) == false)", "%[1]s.v = %[1]s.v + 1 P(%[1]s.v, %[2]s.v)",
	}
	for range 1 + g.n(3) {
		out = append(out, text(uses[g.n(len(uses))], o, q))
	}
	return append(out, one("do", g.inner(depth), "end")...)
}

func (g *generator) recursion() []*stmt {
	f := g.unique("rec")
	switch g.n(3) {
	case 0:
		return []*stmt{text("local function %s(n) K() if n <= 1 then return 1 end return n * %s(n - 1) end", f, f), text("P(%s(%d))", f, g.n(12))}
	case 1:
		return []*stmt{text("local %s %s = function(n, ...) K() if n > 0 then return %s(n - 1, n, ...) end return ... end", f, f, f), text("P(%s(%d))", f, g.n(9))}
	}
	return []*stmt{text("local function %s(n) K() return n < 2 and n or %s(n - 1) + %s(n - 2) end", f, f, f), text("P(%s(%d))", f, g.n(10))}
}
