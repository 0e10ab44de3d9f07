package check

import (
	"strings"

	"github.com/yuin/gopher-lua/ast"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/words"
)

// callStmt is a call whose result nobody takes.
func (c *checker) callStmt(s *ast.FuncCallStmt) {
	c.expr(s.Expr)
	if call, ok := s.Expr.(*ast.FuncCallExpr); ok && call.Func != nil {
		if id, ok := call.Func.(*ast.IdentExpr); ok && id.Value == "eventually" && c.lookup("eventually") == nil {
			c.warnf(s.Line(), CodeUnlookedFor, "eventually returns false when its time is over, and nobody looks at that here; put it into expect(\"...\", eventually(...))")
		}
	}
}

// call is any call; the values it gives, as far as they are known.
func (c *checker) call(e *ast.FuncCallExpr) []value {
	if e.Func == nil {
		return c.method(e)
	}
	f := c.expr(e.Func)
	line := calledAt(e)
	switch f.kind {
	case provider:
		return []value{c.providerCall(e, f.spec, line)}
	case word:
		return c.wordCall(e, f.name, line)
	case function:
		args := c.arguments(e.Args)
		for _, a := range args {
			a.leak()
		}
		c.calls(f.fn, line)
		return []value{f.fn.result}
	}
	for _, a := range c.arguments(e.Args) {
		a.leak()
	}
	if f.kind == data || f.kind == shaped || f.kind == module || f.kind == library || f.kind == given {
		c.errorf(line, CodeCall, "%s is %s and cannot be called", describeAs(e.Func, f), describe(f))
	}
	return []value{{}}
}

// calls remembers that the current function calls f.
func (c *checker) calls(f *fn, line int) {
	c.fn.calls = append(c.fn.calls, use{line: line, fn: f})
	c.fn.items = append(c.fn.items, &item{form: "call", line: line, callee: f, looped: c.fn.loops > 0})
}

// calledAt is the line on which the called function's name stands.
func calledAt(e *ast.FuncCallExpr) int {
	if attr, ok := e.Func.(*ast.AttrGetExpr); ok && attr.Key.Line() > 0 {
		return attr.Key.Line()
	}
	return e.Line()
}

func (c *checker) arguments(list []ast.Expr) []value {
	var out []value
	for _, e := range list {
		out = append(out, c.expr(e))
	}
	return out
}

// method is receiver:name(...).
func (c *checker) method(e *ast.FuncCallExpr) []value {
	receiver := c.expr(e.Receiver)
	what := describeAs(e.Receiver, receiver)
	switch {
	case receiver.kind == module:
		if f := receiver.module.Function(e.Method); f == nil {
			c.moduleFunction(receiver.module, e.Method, e.Line())
		} else {
			c.errorf(e.Line(), CodeCall, "write %s.%s { ... }, with a dot", receiver.module.Name, e.Method)
		}
	case receiver.kind == library || receiver.kind == std:
		c.errorf(e.Line(), CodeCall, "write %s.%s(...), with a dot", what, e.Method)
	case receiver.kind == world || receiver.kind == object:
		c.field(e.Receiver, receiver, e.Method, e.Line())
		if receiver.kind == object && receiver.name == "run" {
			return c.runCall(e, e.Method, e.Line())
		}
		if receiver.kind == world {
			c.faultArguments(e)
		}
	case receiver.isText():
		if names := words.Library()["string"]; !has(names, e.Method) {
			c.misspelt(e.Line(), CodeFunction, e.Method, names, "there is no string.%s", e.Method)
		}
	case receiver.kind == word || receiver.kind == provider || receiver.kind == function:
		c.errorf(e.Line(), CodeCall, "%s is a function and has no methods", what)
	case receiver.is(binding.Record, binding.List, binding.Map, binding.Bool, binding.Number, binding.Integer):
		c.errorf(e.Line(), CodeCall, "%s is %s; data has no methods", what, describe(receiver))
	}
	receiver.leak()
	for _, a := range c.arguments(e.Args) {
		a.leak()
	}
	return []value{{}}
}

// faultArguments judges what a fault of a drill's world is told.
func (c *checker) faultArguments(e *ast.FuncCallExpr) {
	if c.o.WorldArgs == nil || len(e.Args) != 1 {
		return
	}
	table, ok := e.Args[0].(*ast.TableExpr)
	names := c.o.WorldArgs(e.Method)
	if !ok || len(names) == 0 {
		return
	}
	for _, f := range table.Fields {
		if f.Key == nil {
			continue
		}
		if name, literal := literalString(f.Key); literal && !has(names, name) {
			c.misspelt(keyLine(f), CodeArgument, name, names, "world:%s has no argument %q", e.Method, name)
		}
	}
}

// wordCall is a call of a runbook word, of the base library, or of a function
// of string, table or math.
func (c *checker) wordCall(e *ast.FuncCallExpr, name string, line int) []value {
	if name == "require" {
		return []value{c.require(e, line)}
	}
	if rest, ok := strings.CutPrefix(name, "run."); ok {
		c.errorf(line, CodeCall, "write run:%s(...), with a colon", rest)
		return c.runCall(e, rest, line)
	}
	if rest, ok := strings.CutPrefix(name, "world:"); ok {
		object := "world"
		if get, is := e.Func.(*ast.AttrGetExpr); is { // else it is called through a local
			object = exprText(get.Object)
		}
		c.errorf(line, CodeCall, "write %s:%s(...), with a colon", object, rest)
		c.arguments(e.Args)
		return []value{{}}
	}
	if w := words.Find(name); w != nil {
		return c.runbookWord(e, w, line)
	}
	return c.baseCall(e, name, line)
}

// changing are the library functions that change their first argument.
func changing(name string) bool {
	switch name {
	case "table.insert", "table.remove", "table.sort", "rawset", "setmetatable":
		return true
	}
	return false
}

func (c *checker) baseCall(e *ast.FuncCallExpr, name string, line int) []value {
	if changing(name) && len(e.Args) > 0 {
		c.changed(e.Args[0], line)
		for _, a := range c.arguments(e.Args[1:]) {
			a.leak()
		}
		return []value{{}}
	}
	if (name == "pcall" || name == "xpcall") && len(e.Args) > 0 {
		return c.pcall(e, name, line)
	}
	args := c.arguments(e.Args)
	switch name {
	case "tostring", "type":
		return []value{ofKind(binding.String)}
	case "assert":
		if len(args) > 0 {
			return []value{args[0]}
		}
	case "setmetatable", "unpack", "select", "error", "next", "rawget":
		for _, a := range args {
			a.leak()
		}
	case "string.format", "string.lower", "string.upper", "string.rep", "string.sub", "string.reverse", "string.char", "table.concat":
		return []value{ofKind(binding.String)}
	}
	return []value{{}}
}

// pcall calls its first argument with the others; xpcall takes a handler.
func (c *checker) pcall(e *ast.FuncCallExpr, name string, line int) []value {
	inner := &ast.FuncCallExpr{Func: e.Args[0], Args: e.Args[1:]}
	inner.SetLine(line)
	if name == "xpcall" {
		c.arguments(inner.Args)
		inner.Args = nil
	}
	c.call(inner)
	return []value{ofKind(binding.Bool), {}}
}

// runCall is run:result("Title"), run:elapsed(), run:remaining().
func (c *checker) runCall(e *ast.FuncCallExpr, name string, line int) []value {
	args := c.arguments(e.Args)
	switch name {
	case "elapsed", "remaining":
		if len(args) > 0 {
			c.errorf(line, CodeCall, "run:%s takes no arguments", name)
		}
		v := numberValue()
		v.maybe = name == "remaining"
		return []value{v}
	case "result":
		if len(e.Args) != 1 {
			c.errorf(line, CodeCall, "run:result takes the title of a step")
			return []value{{}}
		}
		title, ok := literalString(e.Args[0])
		if !ok {
			c.errorf(line, CodeTitle, "run:result takes a literal title, so that it can be checked")
			return []value{{}}
		}
		c.lookups = append(c.lookups, lookup{title, line})
		if known := c.results[title]; len(known) == 1 {
			return []value{known[0]}
		}
	}
	return []value{{}}
}
