package luafuzz

import "strings"

// pattern is a random pattern, as a literal. Few of them are malformed.
func (g *generator) pattern() string {
	if g.chance(3) {
		return g.pick(`"."`, `"%a+"`, `"(%w+)=(%w+)"`, `"^%s*(.-)%s*$"`, `"%d+"`, `"()b()"`, `"%b()"`, `"%f[%w]%w+"`, `"[^%s]+"`, `"a*"`, `"(.)(.)"`, `"l+"`, `"x-y"`, `"%s"`, `"$"`, `"^"`, `"(a*(.)%w(%s*))"`)
	}
	var b strings.Builder
	b.WriteString(`"`)
	if g.chance(6) {
		b.WriteString("^")
	}
	open := 0
	for range 1 + g.n(4) {
		if g.chance(5) && open < 2 {
			b.WriteString("(")
			open++
		}
		b.WriteString(g.pick("a", "b", "%a", "%d", ".", "[a-f]", "[^a]", "%s", "%w", "[%w_]", "%p", "%u", "%l", "[]x]", "%.", "o", "l"))
		b.WriteString(g.pick("", "", "*", "+", "-", "?"))
		if g.chance(4) && open > 0 {
			b.WriteString(")")
			open--
		}
	}
	b.WriteString(strings.Repeat(")", open))
	if g.chance(6) {
		b.WriteString("$")
	}
	b.WriteString(`"`)
	return b.String()
}

func (g *generator) replacement() string {
	return g.pick(`"<%0>"`, `""`, `"-"`, `"%0%0"`, `"%%"`, `{a = "A", b = false}`, `function(s) return #(s .. "") > 1 and "<" .. s .. ">" or nil end`, `function() end`, `"%1"`)
}
