package luafuzz

import (
	"fmt"
	"strings"
)

// loopBody is a body that may break, at its beginning or deep inside.
func (g *generator) loopBody(depth int) *block {
	g.loops[len(g.loops)-1]++
	b := g.inner(depth)
	g.loops[len(g.loops)-1]--
	if g.chance(8) {
		b.stmts = append([]*stmt{text("if %s then break end", g.condition())}, b.stmts...)
	}
	if g.chance(12) {
		b.stmts = append([]*stmt{text("do break end")}, b.stmts...)
	}
	if fs := g.variable(record); fs != "" && g.chance(3) {
		b.stmts = append(b.stmts, g.captureAndLeave(fs)...)
	}
	if g.chance(6) {
		b.stmts = append(b.stmts, text("break"))
	}
	return b
}

// captureAndLeave breaks out of a block whose local a closure has captured.
func (g *generator) captureAndLeave(record string) []*stmt {
	v := g.unique("cap")
	inner := &block{[]*stmt{
		text("local %s = %s", v, g.paren(g.expr(number, 1))),
		text("%s.h = function() %s = %s + 1 return %s end", record, v, v, v),
		text("if %s then break end", g.condition()),
	}}
	outer := one("do", inner, "end")
	return append(outer, text("P(type(%s.h) == 'function' and %s.h())", record, record))
}

func (g *generator) while(depth int) []*stmt {
	c := g.unique("w")
	out := []*stmt{text("local %s = 0", c)}
	if g.chance(3) {
		body := g.loopBody(depth)
		body.stmts = append([]*stmt{text("%s = %s + 1 if %s > %d then break end", c, c, c, 1+g.n(4))}, body.stmts...)
		if g.chance(2) { // a jump comes first
			body.stmts[0] = text("if %s > %d then break end %s = %s + 1", c, g.n(4), c, c)
		}
		return append(out, one("while "+g.pick("true", "not false", "1", "nil or true", g.pick("true", "not nil"))+" do", body, "end")...)
	}
	body := g.loopBody(depth)
	body.stmts = append([]*stmt{text("%s = %s + 1", c, c)}, body.stmts...)
	return append(out, one(fmt.Sprintf("while %s < %d and (%s) do", c, 1+g.n(4), g.condition()), body, "end")...)
}

func (g *generator) repeat(depth int) []*stmt {
	c := g.unique("r")
	g.push(false)
	// A block of its own: what follows must not see the inner locals, whose
	// kinds are forgotten by then.
	body := &block{one("do", g.loopBody(depth), "end")}
	l := g.unique("l")
	body.stmts = append(body.stmts, text("%s = %s + 1", c, c), text("local %s = %s > %d", l, c, g.n(4)))
	if fs := g.variable(record); fs != "" && g.chance(2) {
		body.stmts = append(body.stmts, text("%s.g = function() %s = not %s return %s end", fs, l, l, l))
	}
	cond := fmt.Sprintf("%s or (%s)", l, g.condition())
	g.pop()
	return append([]*stmt{text("local %s = 0", c)}, one("repeat", body, "until "+cond)...)
}

func (g *generator) numericFor(depth int) []*stmt {
	g.push(false)
	v := g.name()
	head := g.pick("1, 3", "3, 1, -1", "1, 2, 0.5", "0, 4, 2", "5, 1", "1, #"+g.paren(g.expr(str, 1))+" % 4", "M("+g.expr(number, 1)+") % 3, 3")
	g.declare(v, number)
	body := g.loopBody(depth)
	g.pop()
	return one(fmt.Sprintf("for %s = %s do", v, head), body, "end")
}

func (g *generator) genericFor(depth int) []*stmt {
	arr := g.expr(array, 2)
	k, v := g.name(), g.name()
	for v == k {
		v = g.name()
	}
	f := g.variable(number)
	iterator := "(function(s, c) if c < s then return c + 1, s - c end end)"
	heads := []string{
		fmt.Sprintf("%s, %s in ipairs(C(%s))", k, v, arr),
		fmt.Sprintf("%s, %s in %s, %d, 0", k, v, iterator, 1+g.n(4)),
		fmt.Sprintf("%s in %s, %d, 0", k, iterator, 1+g.n(4)),
		fmt.Sprintf("%s in (function() local i = 0 return function() i = i + 1 if i < %d then return i end end end)()", k, 1+g.n(5)),
		fmt.Sprintf("%s in next, {%s}", k, g.list(number, 0, 1, 1)),
		fmt.Sprintf("%s, %s in (function(...) return ... end)(%s, %d, 0)", k, v, iterator, g.n(4)),
		fmt.Sprintf("%s, %s in %s, (function() return %d, 0, 9 end)()", k, v, iterator, g.n(4)),
	}
	head := heads[g.n(len(heads))]
	g.push(false)
	g.declare(k, number)
	if strings.HasPrefix(head, k+", "+v) {
		g.declare(v, number)
	}
	body := g.loopBody(depth)
	if f != "" && g.chance(3) {
		body.stmts = append([]*stmt{text("%s = M(%s + 1)", f, f)}, body.stmts...)
	}
	g.pop()
	return one("for "+head+" do", body, "end")
}
