package check

import (
	"github.com/yuin/gopher-lua/ast"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/words"
)

func (c *checker) assign(s *ast.AssignStmt) {
	values := c.values(s.Rhs, len(s.Lhs))
	for i, target := range s.Lhs {
		switch target := target.(type) {
		case *ast.IdentExpr:
			c.assignName(target, s.Line(), values[i])
		case *ast.AttrGetExpr:
			c.assignField(target, s.Line(), values[i])
		}
	}
}

// assignName is name = v.
func (c *checker) assignName(target *ast.IdentExpr, line int, v value) {
	name := target.Value
	s := c.lookup(name)
	if s != nil {
		s.gather = append(s.gather, v)
		c.crossing(s, line)
		return
	}
	p := Problem{Line: line, Column: c.column(line, name), Code: CodeAssignment}
	if words.Find(name) != nil || isBase(name) || name == "run" {
		p.Message = "\"" + name + "\" belongs to drhost and cannot be assigned"
	} else {
		p.Message = "global \"" + name + "\" is not declared; use local"
		p.Suggestion = binding.Nearest(name, c.visible())
	}
	c.report(p)
}

// crossing remembers that the current function assigns or changes s, when s
// comes from outside of it.
func (c *checker) crossing(s *symbol, line int) {
	for f := c.fn; f != nil && f != s.fn; f = f.parent {
		if f.assigns == nil {
			f.assigns = map[*symbol]int{}
		}
		if _, ok := f.assigns[s]; !ok {
			f.assigns[s] = line
		}
	}
}

// assignField is table.key = v. A table that the script builds gains the field;
// with a key that is not literal nobody can tell any more what it holds.
func (c *checker) assignField(target *ast.AttrGetExpr, line int, v value) {
	key, literal := literalString(target.Key)
	c.expr(target.Key)
	object := c.touched(target.Object, line)
	if !literal || object.kind != shaped || object.shape.parents != nil {
		object.leak()
		v.leak()
		return
	}
	s := object.shape
	if old, ok := s.fields[key]; ok {
		s.fields[key] = join(old, v)
		return
	}
	v.maybe = true
	s.fields[key], s.order = v, append(s.order, key)
}

// changed is a change to the table that e gives, of which nobody can tell what
// it holds afterwards.
func (c *checker) changed(e ast.Expr, line int) { c.touched(e, line).leak() }

// touched is a change to the table that e gives.
func (c *checker) touched(e ast.Expr, line int) value {
	v := c.expr(e)
	switch v.kind {
	case module, library, std, object, world:
		c.errorf(line, CodeAssignment, "%s cannot be changed", describeAs(e, v))
		return v
	case given:
		c.errorf(line, CodeAssignment, "the input cannot be changed; use a local")
		return v
	}
	if s := c.base(e); s != nil {
		c.crossing(s, line)
	}
	return v
}

// base is the local that a chain such as found.servers[1] starts with.
func (c *checker) base(e ast.Expr) *symbol {
	for {
		switch x := e.(type) {
		case *ast.AttrGetExpr:
			e = x.Object
		case *ast.IdentExpr:
			return c.lookup(x.Value)
		default:
			return nil
		}
	}
}

// describeAs names what e is, as it is written where that reads well.
func describeAs(e ast.Expr, v value) string {
	if text := exprText(e); text != "" {
		return text
	}
	return describe(v)
}

func isBase(name string) bool { return has(words.Base(), name) }

func has(list []string, name string) bool {
	for _, x := range list {
		if x == name {
			return true
		}
	}
	return false
}

// walkFunction walks a function's body in a scope of its own. Its parameters
// are what f.params says, as far as that goes.
func (c *checker) walkFunction(node *ast.FunctionExpr, f *fn) {
	outer := c.fn
	f.parent, f.returns, f.assigns, f.calls, f.asks, f.items, f.loops = outer, nil, nil, nil, nil, nil, 0
	c.fn = f
	c.open()
	if f.method {
		c.declare(node, -1, "self", node.Line(), "param", value{})
	}
	for i, name := range node.ParList.Names {
		var v value
		if i < len(f.params) {
			v = f.params[i]
		}
		c.declare(node, i, name, node.Line(), "param", v)
	}
	c.stmts(node.Stmts)
	c.close()
	c.finishFunction(f)
	c.fn = outer
}

// finishFunction joins what the function returns. A function that can reach
// its end returns nil, too.
func (c *checker) finishFunction(f *fn) {
	if len(f.returns) == 0 {
		f.result = value{kind: nothing}
		return
	}
	v := f.returns[0]
	for _, next := range f.returns[1:] {
		v = join(v, next)
	}
	if f.node != nil && !ends(f.node.Stmts) {
		v.maybe = true
	}
	f.result = v
}

// ends tells whether a block surely leaves its function.
func ends(list []ast.Stmt) bool {
	if len(list) == 0 {
		return false
	}
	switch s := list[len(list)-1].(type) {
	case *ast.ReturnStmt:
		return true
	case *ast.DoBlockStmt:
		return ends(s.Stmts)
	case *ast.IfStmt:
		return ends(s.Then) && ends(s.Else)
	}
	return false
}
