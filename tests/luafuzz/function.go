package luafuzz

import (
	"fmt"
	"strings"
)

// body makes the body of a function of two numbers; it returns one to three.
func (g *generator) body(depth int, params []string, varargs bool, last string) *block {
	g.push(true)
	for _, p := range params {
		g.declare(p, number)
	}
	g.loops = append(g.loops, 0)
	g.varargs = append(g.varargs, varargs)
	b := &block{[]*stmt{text("K()")}}
	for _, p := range params {
		if g.chance(2) {
			b.stmts = append(b.stmts, text("%s = %s or %s", p, p, g.constant()))
		} else {
			b.stmts = append(b.stmts, text("if not %s then %s = %s end", p, p, g.constant()))
		}
	}
	b.stmts = append(b.stmts, g.block(depth-1, 5).stmts...)
	if g.chance(3) {
		b.stmts = append(b.stmts, text("if %s then return %s end", g.condition(), g.list(number, 1, 3, 2)))
	}
	if n := len(params); n > 0 && g.chance(2) {
		b.stmts = append(b.stmts, text("%s = (%s)", params[n-1], g.call(1)))
	}
	if last == "" {
		last = "return " + g.pick(g.list(number, 1, 3, 2), g.call(2), "("+g.call(2)+")", "M("+g.call(2)+"), 1")
	}
	b.stmts = append(b.stmts, text("%s", last))
	g.pop()
	g.loops = g.loops[:len(g.loops)-1]
	g.varargs = g.varargs[:len(g.varargs)-1]
	return b
}

func (g *generator) params() (names []string, varargs bool, list string) {
	names = []string{"p", "q"}[:1+g.n(2)]
	if varargs = g.chance(3); varargs {
		return names, true, strings.Join(names, ", ") + ", ..."
	}
	return names, false, strings.Join(names, ", ")
}

func (g *generator) function(depth int) []*stmt {
	names, varargs, list := g.params()
	name := g.name()
	switch g.n(4) {
	case 0:
		g.declare(name, fnNum) // in sight of its own body; K ends a recursion
		return append(one("local function "+name+"("+list+")", g.body(depth, names, varargs, ""), "end"), text("P(%s(%s))", name, g.list(number, 0, 3, 2)))
	case 1:
		b := g.body(depth, names, varargs, "")
		g.declare(name, fnNum)
		return one("local "+name+" = function("+list+")", b, "end")
	case 2:
		if v := g.variable(fnNum); v != "" {
			return one(v+" = function("+list+")", g.body(depth, names, varargs, ""), "end")
		}
	}
	o := g.unique("m")
	out := []*stmt{text("local %s = {v = %s}", o, g.constant())}
	out = append(out, one(fmt.Sprintf("function %s:go(%s)", o, list), g.body(depth, names, varargs, g.pick("", "self.v = self.v + 1 return self.v", "self = (p) return self")), "end")...)
	return append(out, text("P(%s:go(%s), %s.v)", o, g.list(number, 0, 3, 2), o), text("P(%s.go(%s, 1))", o, o))
}

// protected makes pcalls and xpcalls around blocks that fail, with locals that
// closures captured before and use after.
func (g *generator) protected(depth int) []*stmt {
	v, ok, e, fn := g.unique("v"), g.unique("ok"), g.unique("e"), g.unique("fn")
	out := []*stmt{text("local %s = %s", v, g.paren(g.expr(number, 1)))}
	out = append(out, text("local function %s() %s = %s + 1 return %s end", fn, v, v, v))
	g.varargs = append(g.varargs, false)
	fails := g.pick(fmt.Sprintf("error('E' .. %s)", v), fmt.Sprintf("error({code = %s})", v), "error('Eplain', 0)", "local n = nil n.x = 1", "error()",
		"return "+g.anything(2), fmt.Sprintf("return %s()", fn), fmt.Sprintf("if %s then error('Esome', 1) end return %s", g.condition(), g.call(1)), "P(1 < 'x')", "P({} .. 'x')", "P(#nil)")
	g.varargs = g.varargs[:len(g.varargs)-1]
	g.declare(v, number)
	body := g.body(depth, nil, false, fmt.Sprintf("%s() %s = %s + 10 %s", fn, v, v, fails))
	if g.chance(3) {
		handler := g.pick("function(m) return W(m) end", "function(m) return 'H', 2 end", "W")
		out = append(out, one(fmt.Sprintf("local %s, %s = xpcall(function()", ok, e), body, "end, "+handler+")")...)
	} else {
		out = append(out, one(fmt.Sprintf("local %s, %s = pcall(function()", ok, e), body, "end)")...)
	}
	out = append(out, text("P(%s, type(%s) == 'string' and W(%s) or %s)", ok, e, e, e), text("P(%s, %s(), %s)", v, fn, v))
	g.declare(fn, fnNum)
	return out
}

// closures makes functions in a loop and calls them afterwards.
func (g *generator) closures(depth int) []*stmt {
	fs, i := g.unique("fs"), g.unique("i")
	out := []*stmt{text("local %s = {}", fs)}
	g.push(false)
	g.declare(i, number)
	// A block of its own: what follows must not see the inner locals, whose
	// kinds are forgotten by then.
	body := &block{one("do", g.inner(depth-1), "end")}
	l := g.unique("l")
	body.stmts = append(body.stmts, text("local %s = %s", l, g.paren(g.expr(number, 1))),
		text("%s[#%s + 1] = function(d) %s = %s + (d or 1) return %s, %s end", fs, fs, l, l, l, i))
	if g.chance(2) {
		x := l + "x"
		leave := g.pick("break", "do break end", x+" = "+x+" + 1")
		body.stmts = append(body.stmts, one("if "+g.condition()+" then", &block{[]*stmt{
			text("local %s = %s", x, i), text("%s[#%s + 1] = function() %s = %s * 2 return %s, %s end", fs, fs, x, x, x, l),
			text("%s", leave)}}, "end")...)
	}
	g.pop()
	out = append(out, one(g.pick(fmt.Sprintf("for %s = 1, %d do", i, 1+g.n(3)), fmt.Sprintf("for _, %s in ipairs({5, 6, 7}) do", i)), body, "end")...)
	return append(out, text("for i = 1, #%s do P(%s[i]()) P(%s[i](%s)) end", fs, fs, fs, g.constant()))
}
