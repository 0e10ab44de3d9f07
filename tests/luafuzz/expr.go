package luafuzz

import (
	"fmt"
	"strings"
)

// expr is an expression of kind k; d bounds its depth.
func (g *generator) expr(k kind, d int) string {
	if d > 0 && k != fnNum && g.chance(5) {
		return g.logical(k, d-1)
	}
	switch k {
	case number:
		return g.number(d)
	case str:
		return g.str(d)
	case boolean:
		return g.boolean(d)
	case array:
		return g.array(d)
	case record:
		return g.record(d)
	case fnNum:
		if v := g.variable(fnNum); v != "" && !g.chance(4) {
			return v
		}
		return "function(p, q) return " + g.constant() + ", p or q or 4 end"
	}
	return g.anything(d)
}

// logical is an and/or expression whose value is of kind k.
func (g *generator) logical(k kind, d int) string {
	switch g.n(6) {
	case 0:
		return fmt.Sprintf("(%s and %s or %s)", g.boolean(d), g.expr(k, d), g.expr(k, d))
	case 1:
		return fmt.Sprintf("(%s or %s)", g.expr(k, d), g.expr(k, d))
	case 2:
		return fmt.Sprintf("(%s and %s)", g.solid(d), g.expr(k, d))
	case 3:
		return fmt.Sprintf("(not %s and %s or %s)", g.boolean(d), g.expr(k, d), g.expr(k, d))
	case 4:
		return fmt.Sprintf("((%s or %s) and %s or %s)", g.boolean(d), g.boolean(d), g.expr(k, d), g.expr(k, d))
	}
	return fmt.Sprintf("(%s and %s and %s or nil or %s)", g.solid(d), g.boolean(d), g.expr(k, d), g.expr(k, d))
}

// solid is a value that is never false.
func (g *generator) solid(d int) string { return g.expr(kind(g.n(2)), d) }

func (g *generator) constant() string {
	return g.pick("0", "1", "2", "3", "-1", "10", "0.5", "2.25", "1e2", "0x1F", "007", "100", "1e-3")
}

func (g *generator) number(d int) string {
	v := g.variable(number)
	if d <= 0 {
		if v == "" || g.chance(3) {
			return g.constant()
		}
		return v
	}
	e := func() string { return g.expr(number, d-1) }
	switch g.n(17) {
	case 0:
		return fmt.Sprintf("(%s %s %s)", e(), g.pick("+", "-", "*"), e())
	case 1:
		return fmt.Sprintf("%s %s %s", e(), g.pick("+", "-"), e())
	case 2:
		return fmt.Sprintf("M(%s) %% %s", e(), g.pick("2", "3", "7", "-3"))
	case 3:
		return fmt.Sprintf("(%s / %s)", e(), g.pick("2", "4", "0.5"))
	case 4:
		return fmt.Sprintf("M(%s) ^ 2", e())
	case 5:
		return "#" + g.paren(g.expr(str, d-1))
	case 6:
		return "#" + g.paren(g.expr(array, d-1))
	case 7:
		return fmt.Sprintf("math.%s(%s, %s)", g.pick("max", "min"), e(), e())
	case 8:
		return fmt.Sprintf("math.%s(%s)", g.pick("floor", "abs", "ceil"), e())
	case 9:
		return "-" + g.paren(e())
	case 10:
		return g.call(d - 1)
	case 11:
		return "(" + g.call(d-1) + ")"
	case 12:
		return fmt.Sprintf("(%s[%s] or %s)", g.prefix(array, d-1), g.expr(number, d-1), e())
	case 13:
		return fmt.Sprintf("(tonumber(%s) or %s)", g.expr(str, d-1), g.constant())
	case 14:
		return fmt.Sprintf("select(%s, %s)", g.pick(`"#"`, "1", "2", "-1"), g.list(number, 2, 3, d-1))
	case 15:
		return fmt.Sprintf("(%s + %s)", g.pick(`"10"`, `"0x10"`, `" 7 "`, `"0011"`), e())
	}
	if v != "" {
		return v
	}
	return g.constant()
}

func (g *generator) paren(e string) string { return "(" + e + ")" }

// prefix is an expression that may be indexed.
func (g *generator) prefix(k kind, d int) string {
	if v := g.variable(k); v != "" && !g.chance(5) {
		return v
	}
	return g.paren(g.expr(k, d))
}

// call calls a function of numbers.
func (g *generator) call(d int) string {
	switch v := g.variable(fnNum); {
	case v != "" && !g.chance(6):
		return fmt.Sprintf("%s(%s)", v, g.list(number, 0, 3, d))
	case g.chance(2):
		return fmt.Sprintf("(function(...) return %s end)(%s)", g.pick("1", "..., 3", "(...), 2", "5, ..."), g.list(number, 1, 3, d))
	}
	return fmt.Sprintf("math.max(%s)", g.list(number, 1, 3, d))
}

// list is a list of low to high expressions; the last may stand for several.
func (g *generator) list(k kind, low, high, d int) string {
	var parts []string
	for range low + g.n(high-low+1) {
		parts = append(parts, g.expr(k, d-1))
	}
	if k == number && len(parts) > 0 && g.chance(4) {
		parts[len(parts)-1] = g.call(d - 1)
	}
	return strings.Join(parts, ", ")
}

func (g *generator) literal() string {
	return g.pick(`""`, `"a"`, `"abc"`, `"x1y22"`, `"Hello World"`, `"k=v; k2=v2"`, `"10"`, `" 3.5 "`, `"(a(b)c)"`, `"%d%"`, `"tab\tnl\n"`, "[=[long]]string]=]", `"\1z\127"`)
}

func (g *generator) str(d int) string {
	v := g.variable(str)
	if d <= 0 {
		if v == "" || g.chance(3) {
			return g.literal()
		}
		return v
	}
	e := func() string { return "S(" + g.expr(str, d-1) + ")" }
	switch g.n(15) {
	case 0, 1:
		return fmt.Sprintf("%s .. %s", e(), e())
	case 2:
		return fmt.Sprintf("%s .. Z(%s) .. %s", e(), g.expr(number, d-1), g.literal())
	case 3:
		return fmt.Sprintf("%s:%s()", e(), g.pick("upper", "lower", "reverse"))
	case 4:
		return fmt.Sprintf("string.sub(%s, %d, %d)", e(), g.n(9)-4, g.n(9)-4)
	case 5:
		return fmt.Sprintf("%s:rep(%d)", e(), g.n(4)-1)
	case 6:
		if g.chance(2) {
			return fmt.Sprintf("tostring(Z(%s))", g.expr(number, d-1))
		}
		return fmt.Sprintf("tostring(%s)", g.boolean(d-1))
	case 7:
		return g.format(d - 1)
	case 8:
		return fmt.Sprintf("(string.gsub(%s, %s, %s))", e(), g.pattern(), g.replacement())
	case 9:
		return fmt.Sprintf("(string.match(%s, %s) or %s)..''", e(), g.pattern(), g.literal())
	case 10:
		return fmt.Sprintf("table.concat(C(%s), %s)", g.expr(array, d-1), g.pick(`","`, `""`, `"--"`))
	case 11:
		return fmt.Sprintf("string.char(%d, %d)", 33+g.n(90), 33+g.n(90))
	case 12:
		return fmt.Sprintf("type(%s)", g.anything(d-1))
	}
	if v != "" {
		return v
	}
	return g.literal()
}

func (g *generator) format(d int) string {
	switch g.n(5) {
	case 0:
		return fmt.Sprintf("string.format(%q, M(%s))", g.pick("%d", "%5d", "%-5d|", "%05d", "%+d", "%x", "%X", "% d", "%.3d", "%i", "%o"), g.expr(number, d))
	case 1:
		return fmt.Sprintf("string.format(%q, M(%s) / 4)", g.pick("%g", "%.2f", "%8.3f", "%e", "%.3g", "%-9.1f|", "%+.2e", "%G"), g.expr(number, d))
	case 2:
		return fmt.Sprintf("string.format(%q, S(%s))", g.pick("%s", "%5s", "%-8s|", "%.2s", "%q", "%10.3s"), g.expr(str, d))
	case 3:
		return fmt.Sprintf("string.format(%q, %s, S(%s))", "%d%%%s", g.pick("1", "2.0", `"3"`), g.expr(str, d))
	}
	return fmt.Sprintf("string.format(%q, %d)", "<%c>", 40+g.n(80))
}

func (g *generator) boolean(d int) string {
	if d <= 0 {
		if v := g.variable(boolean); v != "" && g.chance(2) {
			return v
		}
		return g.pick("true", "false")
	}
	switch g.n(10) {
	case 0, 1:
		return fmt.Sprintf("(%s %s %s)", g.expr(number, d-1), g.pick("<", ">", "<=", ">=", "==", "~="), g.expr(number, d-1))
	case 2:
		return fmt.Sprintf("(%s %s %s)", g.expr(str, d-1), g.pick("<", ">", "<=", ">=", "==", "~="), g.expr(str, d-1))
	case 3:
		return "not " + g.paren(g.anything(d-1))
	case 4:
		return fmt.Sprintf("(%s %s %s)", g.boolean(d-1), g.pick("and", "or"), g.boolean(d-1))
	case 5:
		return fmt.Sprintf("(%s %s nil)", g.anything(d-1), g.pick("==", "~="))
	case 6:
		return fmt.Sprintf("(%s == %s)", g.anything(d-1), g.anything(d-1))
	case 7:
		return g.pick("true", "false")
	}
	if v := g.variable(boolean); v != "" {
		return v
	}
	return "not false"
}

func (g *generator) array(d int) string {
	if v := g.variable(array); v != "" && (d <= 0 || g.chance(2)) {
		return v
	}
	if d <= 0 {
		return "{1, 2, 3}"
	}
	switch g.n(5) {
	case 0:
		return "{" + g.call(d-1) + "}"
	case 1:
		return "{" + g.list(number, 1, 4, d-1) + ", f = " + g.call(d-1) + "}"
	case 2:
		if g.chance(4) {
			return g.big()
		}
	case 3:
		return fmt.Sprintf("{[1] = %s, g = %s; [2] = %s}", g.constant(), g.anything(d-1), g.constant())
	}
	return "{" + g.list(number, 0, 5, d-1) + "}"
}

// big is a constructor longer than what is stored at once. What it holds is
// shallow: two of them inside each other need more registers than there are.
func (g *generator) big() string {
	var parts []string
	for i := range 48 + g.n(6) + 50*g.n(2) {
		parts = append(parts, fmt.Sprint(i))
	}
	for range g.n(3) {
		parts = append(parts, g.pick("h = ", "[\"g\"] = ", "")+g.expr(number, 0))
	}
	if g.chance(2) {
		parts = append(parts, g.call(0))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func (g *generator) record(d int) string {
	if v := g.variable(record); v != "" && (d <= 0 || g.chance(2)) {
		return v
	}
	if d <= 0 {
		return "{f = 1}"
	}
	return fmt.Sprintf("{f = %s, g = %s, %s}", g.anything(d-1), g.expr(number, d-1), g.pick("", "h = "+g.anything(d-1), "7"))
}

func (g *generator) anything(d int) string {
	if d > 0 && g.chance(4) {
		return fmt.Sprintf("(%s %s %s)", g.anything(d-1), g.pick("and", "or"), g.anything(d-1))
	}
	switch g.n(8) {
	case 0:
		return "nil"
	case 1:
		if v := g.variable(anything); v != "" {
			return v
		}
	case 2:
		return fmt.Sprintf("%s.%s", g.prefix(record, d-1), g.pick("f", "g", "h"))
	case 3:
		if g.varargs[len(g.varargs)-1] {
			return g.pick("(...)", "...", "select('#', ...)")
		}
	case 4:
		return fmt.Sprintf("(pcall(%s, %s))", g.prefix(fnNum, 0), g.expr(number, 0))
	}
	return g.expr(kind(g.n(3)), d-1)
}
