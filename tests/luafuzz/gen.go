package luafuzz

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// kind is what a variable may hold; a variable keeps its kind, so that most
// programs get far before they fail.
type kind int

const (
	number kind = iota
	str
	boolean
	array  // numbers without holes
	record // anything under names f, g, h
	fnNum  // function of two numbers that returns one to three numbers
	anything
	kinds
)

type variable struct {
	name string
	kind kind
}

type scope struct {
	vars     []variable
	function bool // the body of a function begins here
}

type generator struct {
	r       *rand.Rand
	scopes  []*scope
	loops   []int // nested loops per function
	varargs []bool
	size    int // statements that may still be made
	fresh   int
}

// Generate makes the program of a seed.
func Generate(seed uint64) *Program {
	g := &generator{r: rand.New(rand.NewPCG(seed, 1)), size: 30 + int(seed%25), loops: []int{0}, varargs: []bool{true}}
	g.push(false)
	b := g.block(3, 8)
	b.stmts = append(b.stmts, g.dump())
	if g.chance(2) {
		return &Program{seed, b}
	}
	wrapped := &stmt{[]any{"local ok, e = pcall(function(...)", b, "end, 1, 2) P(ok, W(e))"}}
	return &Program{seed, &block{[]*stmt{wrapped}}}
}

func (g *generator) n(n int) int             { return g.r.IntN(n) }
func (g *generator) chance(one int) bool     { return g.r.IntN(one) == 0 }
func (g *generator) push(function bool)      { g.scopes = append(g.scopes, &scope{function: function}) }
func (g *generator) pop()                    { g.scopes = g.scopes[:len(g.scopes)-1] }
func (g *generator) pick(s ...string) string { return s[g.n(len(s))] }

func (g *generator) unique(prefix string) string {
	g.fresh++
	return fmt.Sprintf("%s%d", prefix, g.fresh)
}

func (g *generator) declare(name string, k kind) {
	s := g.scopes[len(g.scopes)-1]
	s.vars = append(s.vars, variable{name, k})
}

// name is a name for a new local: few different ones, so that they shadow.
func (g *generator) name() string { return g.pick("a", "b", "c", "d", "e", "x", "y", "z") }

// visible lists the variables that a name refers to now.
func (g *generator) visible(k kind) []string {
	seen := map[string]bool{}
	var out []string
	for i := len(g.scopes) - 1; i >= 0; i-- {
		vars := g.scopes[i].vars
		for j := len(vars) - 1; j >= 0; j-- {
			if v := vars[j]; !seen[v.name] {
				seen[v.name] = true
				if k == kinds || v.kind == k {
					out = append(out, v.name)
				}
			}
		}
	}
	return out
}

// variable is a variable of kind k, or "".
func (g *generator) variable(k kind) string {
	if names := g.visible(k); len(names) > 0 {
		return names[g.n(len(names))]
	}
	return ""
}

// dump prints what is in sight, which shows a value that was clobbered.
func (g *generator) dump() *stmt {
	names := g.visible(kinds)
	if len(names) > 8 {
		names = names[:8]
	}
	return text("P(%s)", strings.Join(append([]string{fmt.Sprint(g.n(100))}, names...), ", "))
}

// block makes a block of its own scope with most statements at most.
func (g *generator) block(depth, most int) *block {
	b := &block{}
	for n := 1 + g.n(most); n > 0 && g.size > 0; n-- {
		g.size--
		if len(g.scopes) == 1 {
			b.stmts = append(b.stmts, text("R()"))
		}
		b.stmts = append(b.stmts, g.statements(depth)...)
	}
	return b
}

// inner is a block in a new scope that ends by printing.
func (g *generator) inner(depth int) *block {
	g.push(false)
	b := g.block(depth-1, 4)
	if g.chance(2) {
		b.stmts = append(b.stmts, g.dump())
	}
	g.pop()
	return b
}
