package check

import (
	"github.com/yuin/gopher-lua/ast"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/words"
)

func numberValue() value { return ofKind(binding.Number) }

// expr walks an expression and says what is known of its value.
func (c *checker) expr(e ast.Expr) value {
	values := c.multi(e)
	if len(values) == 0 {
		return value{kind: nothing}
	}
	return values[0]
}

// multi is expr for an expression that may give several values.
func (c *checker) multi(e ast.Expr) []value {
	if c.depth++; c.depth > maxNesting {
		c.depth--
		if c.depth == maxNesting {
			c.errorf(e.Line(), CodeSyntax, "this expression is nested too deeply")
		}
		return []value{{}}
	}
	defer func() { c.depth-- }()
	var out []value
	if call, ok := e.(*ast.FuncCallExpr); ok {
		out = c.call(call)
	} else {
		out = []value{c.simple(e)}
	}
	if len(out) > 0 {
		c.known[e] = out[0]
	}
	return out
}

// peek is the value of an expression that was walked already.
func (c *checker) peek(e ast.Expr) value { return c.known[e] }

func (c *checker) simple(e ast.Expr) value {
	switch e := e.(type) {
	case *ast.NilExpr:
		return value{kind: nothing}
	case *ast.TrueExpr:
		return ofKind(binding.Bool)
	case *ast.FalseExpr:
		v := ofKind(binding.Bool)
		v.name = "false"
		return v
	case *ast.NumberExpr:
		return numberValue()
	case *ast.StringExpr:
		return ofKind(binding.String)
	case *ast.IdentExpr:
		return c.ident(e)
	case *ast.AttrGetExpr:
		return c.attr(e)
	case *ast.TableExpr:
		return c.table(e)
	case *ast.FunctionExpr:
		f := c.function(e)
		c.walkFunction(e, f)
		return value{kind: function, fn: f}
	}
	return c.operation(e)
}

func (c *checker) operation(e ast.Expr) value {
	switch e := e.(type) {
	case *ast.LogicalOpExpr:
		left := c.expr(e.Lhs)
		right := c.expr(e.Rhs)
		if e.Operator == "and" {
			right.maybe = true
			return right
		}
		if left.kind == unknown || right.kind == unknown {
			return value{}
		}
		return join(left, right)
	case *ast.RelationalOpExpr:
		c.expr(e.Lhs)
		c.expr(e.Rhs)
		return ofKind(binding.Bool)
	case *ast.StringConcatOpExpr:
		c.concat(e)
		return ofKind(binding.String)
	case *ast.ArithmeticOpExpr:
		c.expr(e.Lhs)
		c.expr(e.Rhs)
		return value{}
	case *ast.UnaryMinusOpExpr:
		c.expr(e.Expr)
	case *ast.UnaryNotOpExpr:
		c.expr(e.Expr)
		return ofKind(binding.Bool)
	case *ast.UnaryLenOpExpr:
		c.expr(e.Expr)
		return numberValue()
	}
	return value{}
}

// concat refuses to join a table to a text: a runbook would fail there.
func (c *checker) concat(e *ast.StringConcatOpExpr) {
	for _, side := range []ast.Expr{e.Lhs, e.Rhs} {
		v := c.expr(side)
		switch {
		case v.isTable() || v.kind == nothing || v.is(binding.Bool, binding.Secret):
			c.errorf(side.Line(), CodeCall, "%s is %s and cannot be joined to a text with ..; use tostring, or one of its fields", describeAs(side, v), describe(v))
		case v.kind == function || v.kind == provider || v.kind == word || v.kind == module:
			c.errorf(side.Line(), CodeCall, "%s is %s and cannot be joined to a text with ..", describeAs(side, v), describe(v))
		}
	}
}

// ident is a name: a local, a word, a part of the base library.
func (c *checker) ident(e *ast.IdentExpr) value {
	if s := c.lookup(e.Value); s != nil {
		s.used = true
		return s.value()
	}
	name := e.Value
	if w := words.Find(name); w != nil {
		return value{kind: word, name: name}
	}
	if name == "run" {
		if c.fn == c.main && c.script {
			c.errorf(e.Line(), CodeLoad, "run is used while the file is loaded; it belongs inside run = function(input) ... end")
		}
		return value{kind: object, name: "run", members: words.Run()}
	}
	if isBase(name) {
		if _, isLibrary := words.Library()[name]; isLibrary {
			return value{kind: library, name: name}
		}
		return value{kind: word, name: name}
	}
	c.unknownGlobal(e)
	return value{}
}

func (c *checker) unknownGlobal(e *ast.IdentExpr) {
	if c.silent {
		return
	}
	name := e.Value
	p := Problem{Line: e.Line(), Column: c.column(e.Line(), name), Code: CodeGlobal}
	why, absent := words.WhyAbsent(name)
	switch {
	case absent:
		p.Message = "a runbook has no " + name + ": " + why
	case c.o.Catalog != nil && c.o.Catalog.Module(name) != nil:
		p.Message = name + " is a module that this file does not require; add: local " + name + " = require \"" + name + "\""
	default:
		p.Message = "there is no \"" + name + "\": neither a local nor a word of a runbook"
		p.Suggestion = binding.Nearest(name, c.candidates())
	}
	c.report(p)
}

// candidates are all names an expression may use here.
func (c *checker) candidates() []string {
	out := append(c.visible(), words.Base()...)
	for _, w := range words.All() {
		out = append(out, w.Name)
	}
	return append(out, "run")
}

// table is a table constructor.
func (c *checker) table(e *ast.TableExpr) value {
	s := c.shapes[e]
	if s == nil {
		s = &shape{node: e}
		c.shapes[e] = s
	}
	s.fields, s.order, s.elem = map[string]value{}, nil, nil
	for i, f := range e.Fields {
		if f.Key == nil {
			item := c.expr(f.Value)
			if i == len(e.Fields)-1 && many(f.Value) {
				s.loose = true
			}
			if s.elem != nil {
				item = join(*s.elem, item)
			}
			s.elem = &item
			continue
		}
		v := c.expr(f.Value)
		name, ok := literalString(f.Key)
		if !ok {
			c.expr(f.Key)
			s.loose = true
			continue
		}
		if _, twice := s.fields[name]; twice {
			c.errorf(f.Key.Line(), CodeField, "field %q is set twice in this table", name)
		} else {
			s.order = append(s.order, name)
		}
		s.fields[name] = v
	}
	return value{kind: shaped, shape: s}
}
