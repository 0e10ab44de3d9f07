package check

import (
	"github.com/yuin/gopher-lua/ast"
)

// symbol is a local, a parameter or a loop variable. It lives through all
// passes, so that a later pass knows what an earlier one saw assigned.
type symbol struct {
	name     string
	fn       *fn // in which it is declared
	line     int
	form     string  // local | param | loop
	gather   []value // what this pass saw assigned so far
	joined   value   // the first count of them, joined
	count    int
	before   value // what the last pass knew at its end
	seen     int   // how many assignments it saw
	used     bool
	required string // the module it holds, by its require line
}

// value is what is known of the symbol: everything ever assigned, joined.
func (s *symbol) value() value {
	if len(s.gather) < s.seen {
		return s.before
	}
	for ; s.count < len(s.gather); s.count++ {
		if s.count == 0 {
			s.joined = s.gather[0]
		} else {
			s.joined = join(s.joined, s.gather[s.count])
		}
	}
	return s.joined
}

// fn is a function of the script. The file itself is one, too.
type fn struct {
	node   *ast.FunctionExpr
	parent *fn
	form   string // the word it is a body of: step, parallel, eventually, ...; run, setup, fault, expect; "" for others
	method bool   // function t:m(), which has a self
	params []value
	result value // of the last pass
	// What this pass found in it.
	returns []value
	assigns map[*symbol]int // outer symbols that it assigns or changes, with the line
	calls   []use           // of the script's own functions
	asks    []use           // of providers and of words that only run
	items   []*item         // steps, in order
	loops   int             // how many loops are open where the walk is
}

// use is something called at a line.
type use struct {
	line int
	what string // hetzner.server, step
	fn   *fn    // of the script; nil for others
}

// boundary tells whether the function's calls are kept as a unit: a resumed
// run hands back its value instead of running it.
func (f *fn) boundary() bool {
	switch f.form {
	case "step", "parallel", "each", "undo":
		return true
	}
	return false
}

// polled tells whether the function may be called several times by one word.
func (f *fn) polled() bool { return f.form == "eventually" || f.form == "retry" }

// within tells whether f is g or stands inside it.
func (f *fn) within(g *fn) bool {
	for ; f != nil; f = f.parent {
		if f == g {
			return true
		}
	}
	return false
}

// block is a lexical scope.
type block struct {
	parent *block
	names  map[string]*symbol
}

func (c *checker) open() { c.block = &block{parent: c.block, names: map[string]*symbol{}} }

func (c *checker) close() { c.block = c.block.parent }

// lookup finds the innermost local called name.
func (c *checker) lookup(name string) *symbol {
	for b := c.block; b != nil; b = b.parent {
		if s := b.names[name]; s != nil {
			return s
		}
	}
	return nil
}

// visible are the names of all locals in sight.
func (c *checker) visible() []string {
	var out []string
	for b := c.block; b != nil; b = b.parent {
		for name := range b.names {
			out = append(out, name)
		}
	}
	return out
}

type symbolKey struct {
	node  any
	index int
}

// declare makes a local of the statement or function node.
func (c *checker) declare(node any, index int, name string, line int, form string, v value) *symbol {
	key := symbolKey{node, index}
	s := c.symbols[key]
	if s == nil {
		s = &symbol{name: name, line: line, form: form}
		c.symbols[key] = s
		c.declared = append(c.declared, s)
	}
	s.fn = c.fn
	if len(s.gather) > 0 {
		s.before, s.seen = s.value(), len(s.gather)
	}
	s.gather, s.count = []value{v}, 0
	c.block.names[name] = s
	return s
}

// function returns what is kept of a function literal.
func (c *checker) function(node *ast.FunctionExpr) *fn {
	f := c.fns[node]
	if f == nil {
		f = &fn{node: node}
		c.fns[node] = f
	}
	f.parent = c.fn
	return f
}
