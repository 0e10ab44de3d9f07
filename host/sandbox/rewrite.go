package sandbox

import (
	"fmt"
	"strconv"

	"github.com/yuin/gopher-lua/ast"
)

// The rewriter turns a syntax tree into one that means the same and that
// gopher-lua 1.1.2 compiles rightly. What it changes, and why:
//
//   - `v = a and b` to an existing local leaves v as it was: the value goes
//     through a fresh local. So does `p = (f())` and `p = (...)`.
//   - `a, b = b, a` gives one value twice: temporaries for all.
//   - `local f = function` sees itself: it is compiled like `local function`
//     unless there is a second expression.
//   - a jump back to a jump is patched wrongly: a loop body that may start with
//     a jump gets an instruction in front, a condition that may moves inside.
//   - `break` out of an inner block leaves its captured locals attached to a
//     register that is used again: the loop's own block is made to close.
//   - the state of a generic for is not filled up: it always has three parts.
//   - `{1, x = f()}` sets [2]; 50 items followed by a named one, or by f(...),
//     overwrite the first; more than 25,550 items go wrong: a call builds them.
//   - `..` becomes a call that knows a limit.
//   - numbers are written anew: 0011 is eleven, 1e999 infinite.
//
// goto is refused: it closes every captured local of the function.

// rewrite rewrites a whole file, for a plan when foresee is true. It panics with
// a *SyntaxError.
func rewrite(file string, tree []ast.Stmt, foresee bool) []ast.Stmt {
	r := &rewriter{file: file, foresee: foresee}
	r.fn = &function{varargs: true, constants: map[string]bool{}}
	r.open(nil)
	return r.statements(tree)
}

type rewriter struct {
	file    string
	fn      *function
	depth   int
	temps   int
	foresee bool // comparisons are calls, see compare
}

// function is a function while it is walked.
type function struct {
	parent    *function
	scope     *scope
	active    int // locals in scope: registers in use
	varargs   bool
	constants map[string]bool
}

// scope is a block. A loop's own block has loop set.
type scope struct {
	parent *scope
	vars   []*variable
	loop   *loop
	hidden int // registers of a for loop's state
}

type variable struct {
	name      string
	captured  bool
	lastParam bool
}

// loop remembers the blocks that its breaks leave early.
type loop struct{ left []*scope }

func (r *rewriter) fail(at ast.PositionHolder, format string, args ...any) {
	panic(&SyntaxError{r.file, max(at.Line(), 1), fmt.Sprintf(format, args...)})
}

func (r *rewriter) enter(at ast.PositionHolder) {
	if r.depth++; r.depth > maxNesting {
		r.fail(at, "nested too deeply (more than %d levels)", maxNesting)
	}
}

func (r *rewriter) leave() { r.depth-- }

func (r *rewriter) open(l *loop) *scope {
	r.fn.scope = &scope{parent: r.fn.scope, loop: l}
	return r.fn.scope
}

func (r *rewriter) close() {
	s := r.fn.scope
	r.fn.active -= len(s.vars) + s.hidden
	r.fn.scope = s.parent
}

func (r *rewriter) reserve(n int) {
	r.fn.scope.hidden += n
	r.fn.active += n
}

func (r *rewriter) declare(names ...string) {
	for _, name := range names {
		r.fn.scope.vars = append(r.fn.scope.vars, &variable{name: name})
		r.fn.active++
	}
}

// local finds name among the locals of the present function. Otherwise it
// marks the local of an outer function as captured; global tells there is none.
func (r *rewriter) local(name string) (v *variable, global bool) {
	for fn := r.fn; fn != nil; fn = fn.parent {
		for s := fn.scope; s != nil; s = s.parent {
			for i := len(s.vars) - 1; i >= 0; i-- {
				if s.vars[i].name != name {
					continue
				}
				if fn == r.fn {
					return s.vars[i], false
				}
				s.vars[i].captured = true
				return nil, false
			}
		}
	}
	return nil, true
}

// temp names a local that no script can name.
func (r *rewriter) temp() string {
	r.temps++
	return "(" + strconv.Itoa(r.temps) + ")"
}

// fits refuses a statement whose values would need more registers than there are.
func (r *rewriter) fits(at ast.PositionHolder, height int) {
	if r.fn.active+height > maxRegisters-4 {
		r.fail(at, "too many local variables, or too large an expression; put parts of it into a table or a function")
	}
}

// constant counts the distinct constants of the present function.
func (r *rewriter) constant(at ast.PositionHolder, text string) {
	r.fn.constants[text] = true
	if len(r.fn.constants) > maxConstants {
		r.fail(at, "more than %d different constants in one function; read them from a file or split it", maxConstants)
	}
}

// The makers of nodes give them the line they stand for.

func ident(at ast.PositionHolder, name string) *ast.IdentExpr {
	e := &ast.IdentExpr{Value: name}
	e.SetLine(at.Line())
	return e
}

func localAssign(at ast.PositionHolder, names []string, exprs ...ast.Expr) *ast.LocalAssignStmt {
	s := &ast.LocalAssignStmt{Names: names, Exprs: exprs}
	s.SetLine(at.Line())
	return s
}

func assign(at ast.PositionHolder, target, value ast.Expr) *ast.AssignStmt {
	s := &ast.AssignStmt{Lhs: []ast.Expr{target}, Rhs: []ast.Expr{value}}
	s.SetLine(at.Line())
	return s
}

func block(at ast.PositionHolder, stmts ...ast.Stmt) *ast.DoBlockStmt {
	s := &ast.DoBlockStmt{Stmts: stmts}
	s.SetLine(at.Line())
	s.SetLastLine(max(at.LastLine(), at.Line()))
	return s
}

func hostCall(at ast.PositionHolder, name string, args ...ast.Expr) *ast.FuncCallExpr {
	e := &ast.FuncCallExpr{Func: ident(at, name), Args: args, AdjustRet: true}
	e.SetLine(at.Line())
	return e
}

// idle is a statement of one instruction that does nothing and is no jump.
func (r *rewriter) idle(at ast.PositionHolder) ast.Stmt {
	return block(at, localAssign(at, []string{r.temp()}))
}
