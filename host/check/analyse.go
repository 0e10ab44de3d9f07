package check

import (
	"bytes"
	"strings"

	"github.com/yuin/gopher-lua/ast"
)

// passes over the tree. The first ones are silent and only gather: what is
// assigned to which local, what functions return, what they do.
const passes = 3

// maxNesting is far beyond what the sandbox compiles.
const maxNesting = 3000

// checker holds one file while it is checked.
type checker struct {
	file   string
	source []byte
	lines  []string
	o      Options
	script bool // a runbook or drill; else a std module

	problems []Problem
	silent   bool
	last     bool
	later    []func() // judged when the whole file is known

	fns      map[*ast.FunctionExpr]*fn
	shapes   map[*ast.TableExpr]*shape
	symbols  map[symbolKey]*symbol
	declared []*symbol
	known    map[ast.Expr]value   // of what this pass walked
	built    map[symbolKey]*shape // by words
	depth    int

	block    *block
	fn       *fn
	main     *fn
	std      map[string]*checker // of the std modules this file requires, also through others
	form     string              // runbook | drill, once declared
	formLine int
	inputs   map[string]bool // declared in the head; nil when not known
	results  map[string][]value
	gathered map[string][]value // results of this pass
	lookups  []lookup
}

// lookup is a run:result("Title").
type lookup struct {
	title string
	line  int
}

func newChecker(name string, source []byte, o Options) *checker {
	return &checker{file: name, source: source, lines: strings.Split(string(bytes.ReplaceAll(source, []byte("\r\n"), []byte("\n"))), "\n"), o: o,
		fns: map[*ast.FunctionExpr]*fn{}, shapes: map[*ast.TableExpr]*shape{}, symbols: map[symbolKey]*symbol{}, built: map[symbolKey]*shape{}, main: &fn{}, std: map[string]*checker{}}
}

// analyse walks the file. It returns the problem that kept it from doing so.
func (c *checker) analyse() *Problem {
	chunk, problem := c.gather()
	if problem != nil {
		return problem
	}
	for _, judge := range c.later {
		judge()
	}
	c.judgeFunctions()
	c.judgeTitles()
	c.judgeLocals()
	if c.script {
		c.judgeForm(chunk)
	}
	return nil
}

// gather walks the file as often as it takes.
func (c *checker) gather() ([]ast.Stmt, *Problem) {
	chunk, problem := parseSource(c.file, c.source)
	if problem != nil {
		return nil, problem
	}
	for pass := 1; pass <= passes; pass++ {
		c.silent, c.last = pass < passes, pass == passes
		c.pass(chunk)
	}
	return chunk, nil
}

func (c *checker) pass(chunk []ast.Stmt) {
	c.results, c.gathered = c.gathered, map[string][]value{}
	c.known = map[ast.Expr]value{}
	c.lookups, c.later, c.form, c.depth = nil, nil, "", 0
	c.main = &fn{result: c.main.result}
	c.fn, c.block = c.main, nil
	c.open()
	c.stmts(chunk)
	c.close()
	c.finishFunction(c.main)
}

// stmts walks a block whose scope is open already.
func (c *checker) stmts(list []ast.Stmt) {
	for _, s := range list {
		c.stmt(s)
	}
}

func (c *checker) scoped(list []ast.Stmt) {
	c.open()
	c.stmts(list)
	c.close()
}

func (c *checker) stmt(s ast.Stmt) {
	switch s := s.(type) {
	case *ast.LocalAssignStmt:
		c.local(s)
	case *ast.AssignStmt:
		c.assign(s)
	case *ast.FuncCallStmt:
		c.callStmt(s)
	case *ast.DoBlockStmt:
		c.scoped(s.Stmts)
	case *ast.WhileStmt:
		c.expr(s.Condition)
		c.loop(func() { c.scoped(s.Stmts) })
	case *ast.RepeatStmt:
		c.loop(func() {
			c.open()
			c.stmts(s.Stmts)
			c.expr(s.Condition)
			c.close()
		})
	case *ast.IfStmt:
		c.ifStmt(s)
	case *ast.NumberForStmt:
		c.numberFor(s)
	case *ast.GenericForStmt:
		c.genericFor(s)
	case *ast.FuncDefStmt:
		c.funcDef(s)
	case *ast.ReturnStmt:
		c.returnStmt(s)
	case *ast.GotoStmt, *ast.LabelStmt:
		c.errorf(s.Line(), CodeSyntax, "goto is not part of Lua 5.1; use if and else, or a function that returns early")
	}
}

func (c *checker) loop(body func()) {
	c.fn.loops++
	body()
	c.fn.loops--
}

// ifStmt goes along an elseif chain without deepening.
func (c *checker) ifStmt(s *ast.IfStmt) {
	for {
		c.expr(s.Condition)
		c.scoped(s.Then)
		if len(s.Else) == 1 {
			if next, ok := s.Else[0].(*ast.IfStmt); ok {
				s = next
				continue
			}
		}
		c.scoped(s.Else)
		return
	}
}

func (c *checker) returnStmt(s *ast.ReturnStmt) {
	v := value{kind: nothing}
	for i, e := range s.Exprs {
		if x := c.expr(e); i == 0 {
			v = x
		}
	}
	c.fn.returns = append(c.fn.returns, v)
}

func (c *checker) local(s *ast.LocalAssignStmt) {
	// A local function sees itself.
	if f, ok := single(s); ok {
		known := c.function(f)
		c.declare(s, 0, s.Names[0], s.Line(), "local", value{kind: function, fn: known})
		c.walkFunction(f, known)
		return
	}
	values := c.values(s.Exprs, len(s.Names))
	for i, name := range s.Names {
		symbol := c.declare(s, i, name, s.Line(), "local", values[i])
		if i < len(s.Exprs) {
			symbol.required, _, _ = requireOf(s.Exprs[i])
			symbol.line = s.Exprs[i].Line()
		}
	}
}

func single(s *ast.LocalAssignStmt) (*ast.FunctionExpr, bool) {
	if len(s.Names) != 1 || len(s.Exprs) != 1 {
		return nil, false
	}
	f, ok := s.Exprs[0].(*ast.FunctionExpr)
	return f, ok
}

// values are exactly n values of an expression list; the last one may give
// several.
func (c *checker) values(list []ast.Expr, n int) []value {
	var out []value
	for i, e := range list {
		if i == len(list)-1 {
			out = append(out, c.multi(e)...)
		} else {
			out = append(out, c.expr(e))
		}
	}
	for len(out) < n {
		v := value{kind: nothing}
		if len(list) > 0 && many(list[len(list)-1]) {
			v = value{}
		}
		out = append(out, v)
	}
	return out
}

// many tells whether e may give more values than are known.
func many(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.FuncCallExpr:
		return !e.AdjustRet
	case *ast.Comma3Expr:
		return !e.AdjustRet
	}
	return false
}

func (c *checker) numberFor(s *ast.NumberForStmt) {
	c.expr(s.Init)
	c.expr(s.Limit)
	if s.Step != nil {
		c.expr(s.Step)
	}
	c.open()
	c.declare(s, 0, s.Name, s.Line(), "loop", numberValue())
	c.loop(func() { c.scoped(s.Stmts) })
	c.close()
}

func (c *checker) genericFor(s *ast.GenericForStmt) {
	var items []value
	if len(s.Exprs) == 1 {
		items = c.iteration(s.Exprs[0])
	} else {
		for _, e := range s.Exprs {
			c.expr(e)
		}
	}
	c.open()
	for i, name := range s.Names {
		var v value
		if i < len(items) {
			v = items[i]
		}
		c.declare(s, i, name, s.Line(), "loop", v)
	}
	c.loop(func() { c.scoped(s.Stmts) })
	c.close()
}

// iteration is what a for loop over e gives: ipairs and pairs are known.
func (c *checker) iteration(e ast.Expr) []value {
	call, ok := e.(*ast.FuncCallExpr)
	if !ok {
		c.expr(e)
		return nil
	}
	f, isName := call.Func.(*ast.IdentExpr)
	if !isName || len(call.Args) != 1 || (f.Value != "ipairs" && f.Value != "pairs") || c.lookup(f.Value) != nil {
		c.expr(e)
		return nil
	}
	list := c.expr(call.Args[0])
	if f.Value == "ipairs" && (list.kind == mapped || list.is("record", "map", "string", "number", "integer", "boolean")) {
		c.errorf(call.Line(), CodeCall, "ipairs takes a list, not %s", describe(list))
	}
	return c.items(list, f.Value)
}

func (c *checker) funcDef(s *ast.FuncDefStmt) {
	known := c.function(s.Func)
	v := value{kind: function, fn: known}
	switch {
	case s.Name.Func == nil: // function t:m()
		c.changed(s.Name.Receiver, s.Line())
	default:
		if id, ok := s.Name.Func.(*ast.IdentExpr); ok {
			c.assignName(id, s.Line(), v)
		} else if attr, ok := s.Name.Func.(*ast.AttrGetExpr); ok {
			c.assignField(attr, s.Line(), v)
		}
	}
	known.method = s.Name.Func == nil
	c.walkFunction(s.Func, known)
}
