package check

import (
	"sort"
	"strings"

	"github.com/yuin/gopher-lua/ast"
)

// require is require "name".
func (c *checker) require(e *ast.FuncCallExpr, line int) value {
	if len(e.Args) != 1 {
		c.arguments(e.Args)
		c.errorf(line, CodeModule, "require takes the name of one module")
		return value{}
	}
	c.expr(e.Args[0])
	name, ok := literalString(e.Args[0])
	if !ok {
		c.errorf(line, CodeModule, "require takes a literal name: the require lines are the list of what a file may touch")
		return value{}
	}
	if _, ok := c.o.Std[name]; ok {
		return c.stdModule(name)
	}
	if c.o.Catalog == nil {
		return value{}
	}
	m := c.o.Catalog.Module(name)
	if m == nil {
		known := c.modules()
		p := Problem{Line: line, Column: c.column(line, name), Code: CodeModule, Message: "there is no module \"" + name + "\""}
		if p.Suggestion = nearestModule(name, known); p.Suggestion == "" {
			p.Message += "; there are " + strings.Join(known, ", ")
		}
		c.report(p)
		return value{}
	}
	if c.fn != c.main && c.form != "drill" && c.script && !c.inDrill() {
		c.errorf(line, CodeModule, "require \"%s\" belongs at the top of the file: the providers are opened before the runbook starts", name)
	}
	return value{kind: module, module: m, name: name}
}

// inDrill tells whether the function being walked belongs to a drill's head;
// the head's own form is known only after its functions were walked.
func (c *checker) inDrill() bool {
	for f := c.fn; f != nil; f = f.parent {
		switch f.form {
		case "setup", "fault", "expect":
			return true
		}
	}
	return false
}

// modules are all names that require knows.
func (c *checker) modules() []string {
	var out []string
	for _, m := range c.o.Catalog.Modules() {
		out = append(out, m.Name)
	}
	for name := range c.o.Std {
		out = append(out, name)
	}
	return sortedStrings(out)
}

// Requires lists the provider modules that a script requires, also through std
// modules, sorted: what it may touch. A script with wrong syntax has none.
func Requires(source []byte, std map[string][]byte) []string {
	found := map[string]bool{}
	requires(source, std, found)
	var out []string
	for name := range found {
		if _, isStd := std[name]; !isStd {
			out = append(out, name)
		}
	}
	sort.Strings(out)
	return out
}

// Libraries lists the std modules that a script requires, also through each
// other, sorted.
func Libraries(source []byte, std map[string][]byte) []string {
	found := map[string]bool{}
	requires(source, std, found)
	var out []string
	for name := range found {
		if _, isStd := std[name]; isStd {
			out = append(out, name)
		}
	}
	sort.Strings(out)
	return out
}

func requires(source []byte, std map[string][]byte, found map[string]bool) {
	chunk, problem := parseSource("", source)
	if problem != nil {
		return
	}
	for _, s := range chunk {
		inspect(s, func(node any) {
			name, _, ok := requireOf(node)
			if !ok || found[name] {
				return
			}
			found[name] = true
			if inner, isStd := std[name]; isStd {
				requires(inner, std, found)
			}
		})
	}
}

// members are the names that a std module gives, or nil when they cannot be
// told: it must return a table it builds in sight.
func members(source []byte) []string {
	chunk, problem := parseSource("", source)
	if problem != nil || len(chunk) == 0 {
		return nil
	}
	last, ok := chunk[len(chunk)-1].(*ast.ReturnStmt)
	if !ok || len(last.Exprs) != 1 {
		return nil
	}
	if table, ok := last.Exprs[0].(*ast.TableExpr); ok {
		return keys(table)
	}
	id, ok := last.Exprs[0].(*ast.IdentExpr)
	if !ok {
		return nil
	}
	return builtMembers(chunk, id.Value)
}

// builtMembers are the members of `local M = {}`, `function M.f() end`.
func builtMembers(chunk []ast.Stmt, table string) []string {
	var out []string
	for _, s := range chunk {
		switch s := s.(type) {
		case *ast.LocalAssignStmt:
			if len(s.Names) == 1 && s.Names[0] == table && len(s.Exprs) == 1 {
				t, ok := s.Exprs[0].(*ast.TableExpr)
				if !ok || len(t.Fields) > 0 && keys(t) == nil {
					return nil
				}
				out = append(out, keys(t)...)
			}
		case *ast.FuncDefStmt:
			if name, ok := memberOf(s.Name.Func, table); ok {
				out = append(out, name)
			}
		case *ast.AssignStmt:
			for _, e := range s.Lhs {
				if name, ok := memberOf(e, table); ok {
					out = append(out, name)
				}
			}
		}
	}
	return sortedStrings(out)
}

func memberOf(e ast.Expr, table string) (string, bool) {
	attr, ok := e.(*ast.AttrGetExpr)
	if !ok || exprText(attr.Object) != table {
		return "", false
	}
	return literalString(attr.Key)
}

// keys are the names of a table's fields, nil when they are not all literal.
func keys(table *ast.TableExpr) []string {
	var out []string
	for _, f := range table.Fields {
		name, ok := literalString(f.Key)
		if !ok {
			return nil
		}
		out = append(out, name)
	}
	return sortedStrings(out)
}

// stdModule analyses a std module, once, and says what it gives.
func (c *checker) stdModule(name string) value {
	v := value{kind: std, name: name, names: members(c.o.Std[name])}
	inner, known := c.std[name]
	if !known {
		inner = newChecker(name, c.o.Std[name], c.o)
		inner.std = c.std
		c.std[name] = inner // before it is analysed: it may require itself
		inner.gather()      // what is wrong with it is not this file's problem
	}
	if result := inner.main.result; result.kind == shaped {
		v.shape = result.shape
	}
	return v
}

// stdTitles are the titles of steps in the std modules that the file requires.
func (c *checker) stdTitles() map[string]bool {
	out := map[string]bool{}
	for _, inner := range c.std {
		inner.outline(func(t TitleAt, _ int, _ *fn) { out[t.Title] = true })
	}
	return out
}
