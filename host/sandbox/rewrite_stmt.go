package sandbox

import "github.com/yuin/gopher-lua/ast"

func (r *rewriter) statements(stmts []ast.Stmt) []ast.Stmt {
	out := make([]ast.Stmt, 0, len(stmts))
	for _, s := range stmts {
		out = append(out, r.statement(s)...)
	}
	return out
}

// body rewrites the statements of a block of its own.
func (r *rewriter) body(stmts []ast.Stmt) []ast.Stmt {
	r.open(nil)
	out := r.statements(stmts)
	r.close()
	return out
}

func (r *rewriter) statement(stmt ast.Stmt) []ast.Stmt {
	r.enter(stmt)
	defer r.leave()
	switch s := stmt.(type) {
	case *ast.AssignStmt:
		return r.assignment(s)
	case *ast.LocalAssignStmt:
		return r.localStatement(s)
	case *ast.FuncCallStmt:
		var height int
		s.Expr, height = r.expr(s.Expr)
		r.fits(s, height)
	case *ast.DoBlockStmt:
		s.Stmts = r.body(s.Stmts)
	case *ast.WhileStmt:
		return r.while(s)
	case *ast.RepeatStmt:
		return r.repeat(s)
	case *ast.IfStmt:
		s.Condition = r.value(s.Condition)
		s.Then = r.body(s.Then)
		s.Else = r.body(s.Else)
	case *ast.NumberForStmt:
		return r.numberFor(s)
	case *ast.GenericForStmt:
		return r.genericFor(s)
	case *ast.FuncDefStmt:
		return r.functionStatement(s)
	case *ast.ReturnStmt:
		s.Exprs = r.values(s, s.Exprs)
	case *ast.BreakStmt:
		r.breakOut(s)
	case *ast.GotoStmt, *ast.LabelStmt:
		r.fail(stmt, "goto is not part of Lua 5.1; use if and else, or a function that returns early")
	}
	return []ast.Stmt{stmt}
}

// value rewrites an expression that stands alone in its statement.
func (r *rewriter) value(e ast.Expr) ast.Expr {
	e, height := r.expr(e)
	r.fits(e, height)
	return e
}

// values rewrites a list of expressions whose values are held side by side.
func (r *rewriter) values(at ast.PositionHolder, list []ast.Expr) []ast.Expr {
	most := 0
	for i := range list {
		var height int
		list[i], height = r.expr(list[i])
		most = max(most, i+height)
	}
	r.fits(at, most)
	return list
}

func (r *rewriter) localStatement(s *ast.LocalAssignStmt) []ast.Stmt {
	if len(s.Exprs) == 1 && len(s.Names) == 1 {
		if _, ok := s.Exprs[0].(*ast.FunctionExpr); ok {
			// The parser sets the last line of `local function f` only.
			if s.LastLine() != 0 {
				r.declare(s.Names[0])
				s.Exprs[0] = r.value(s.Exprs[0])
				return []ast.Stmt{s}
			}
			none := &ast.NilExpr{}
			none.SetLine(s.Line())
			s.Exprs = append(s.Exprs, none)
		}
	}
	s.Exprs = r.values(s, s.Exprs)
	r.declare(s.Names...)
	r.fits(s, 0)
	return []ast.Stmt{s}
}

func (r *rewriter) functionStatement(s *ast.FuncDefStmt) []ast.Stmt {
	method := s.Name.Func == nil
	if method {
		s.Name.Receiver = r.value(s.Name.Receiver)
		r.constant(s, s.Name.Method)
	} else if id, ok := s.Name.Func.(*ast.IdentExpr); ok {
		if _, global := r.local(id.Value); global {
			r.fail(s, "global '%s' is not declared; use local function %s", id.Value, id.Value)
		}
	} else {
		s.Name.Func = r.value(s.Name.Func)
	}
	r.functionBody(s.Func, method)
	return []ast.Stmt{s}
}

// breakOut notes which blocks a break leaves.
func (r *rewriter) breakOut(s *ast.BreakStmt) {
	var left []*scope
	for sc := r.fn.scope; sc != nil; sc = sc.parent {
		if sc.loop != nil {
			sc.loop.left = append(sc.loop.left, left...)
			return
		}
		left = append(left, sc)
	}
	r.fail(s, "break outside a loop")
}

// loopBody rewrites the body of a loop. before declares what the loop itself
// declares; after is what else sees the body's locals.
func (r *rewriter) loopBody(stmts []ast.Stmt, before, after func()) (out []ast.Stmt, closes bool) {
	l := &loop{}
	r.open(l)
	before()
	out = r.statements(stmts)
	after()
	r.close()
	for _, s := range l.left {
		for _, v := range s.vars {
			closes = closes || v.captured
		}
	}
	return out, closes
}

// closer makes a loop's block one that closes captured locals on break: a
// local of the block is captured by a function that is never made.
func (r *rewriter) closer(at ast.PositionHolder) []ast.Stmt {
	name := r.temp()
	back := &ast.ReturnStmt{Exprs: []ast.Expr{ident(at, name)}}
	back.SetLine(at.Line())
	fn := &ast.FunctionExpr{ParList: &ast.ParList{}, Stmts: []ast.Stmt{back}}
	fn.SetLine(at.Line())
	fn.SetLastLine(at.Line())
	never := &ast.IfStmt{Condition: &ast.FalseExpr{}, Then: []ast.Stmt{localAssign(at, []string{r.temp()}, fn)}}
	never.SetLine(at.Line())
	never.Condition.SetLine(at.Line())
	return []ast.Stmt{localAssign(at, []string{name}), never}
}

// headed puts in front of a loop body what it needs there.
func (r *rewriter) headed(at ast.PositionHolder, stmts []ast.Stmt, closes, safe bool) []ast.Stmt {
	switch {
	case closes:
		return append(r.closer(at), stmts...)
	case !safe:
		return append([]ast.Stmt{r.idle(at)}, stmts...)
	}
	return stmts
}

func (r *rewriter) while(s *ast.WhileStmt) []ast.Stmt {
	s.Condition = r.value(s.Condition)
	stmts, closes := r.loopBody(s.Stmts, func() {}, func() {})
	if conditionSafe(s.Condition) {
		s.Stmts = r.headed(s, stmts, closes, true)
		return []ast.Stmt{s}
	}
	if !constantTrue(s.Condition) {
		end := &ast.BreakStmt{}
		end.SetLine(s.Condition.Line())
		not := &ast.UnaryNotOpExpr{Expr: s.Condition}
		not.SetLine(s.Condition.Line())
		leave := &ast.IfStmt{Condition: not, Then: []ast.Stmt{end}}
		leave.SetLine(s.Condition.Line())
		stmts = append([]ast.Stmt{leave}, stmts...)
	}
	s.Condition = &ast.TrueExpr{}
	s.Condition.SetLine(s.Line())
	s.Stmts = r.headed(s, stmts, closes, statementsSafe(stmts))
	return []ast.Stmt{s}
}

func (r *rewriter) repeat(s *ast.RepeatStmt) []ast.Stmt {
	stmts, closes := r.loopBody(s.Stmts, func() {}, func() { s.Condition = r.value(s.Condition) })
	s.Stmts = r.headed(s, stmts, closes, statementsSafe(stmts))
	return []ast.Stmt{s}
}

func (r *rewriter) numberFor(s *ast.NumberForStmt) []ast.Stmt {
	s.Init = r.value(s.Init)
	s.Limit = r.value(s.Limit)
	if s.Step != nil {
		s.Step = r.value(s.Step)
	}
	stmts, closes := r.loopBody(s.Stmts, func() {
		r.reserve(3)
		r.declare(s.Name)
		r.fits(s, 0)
	}, func() {})
	s.Stmts = r.headed(s, stmts, closes, true)
	return []ast.Stmt{s}
}

func (r *rewriter) genericFor(s *ast.GenericForStmt) []ast.Stmt {
	s.Exprs = r.values(s, s.Exprs)
	n := len(s.Exprs)
	multi := isMulti(s.Exprs[n-1])
	wrapped := n > 3 || multi && n > 1
	if wrapped {
		r.open(nil)
		r.reserve(3)
	}
	stmts, closes := r.loopBody(s.Stmts, func() {
		r.reserve(3)
		r.declare(s.Names...)
		r.fits(s, 3)
	}, func() {})
	s.Stmts = r.headed(s, stmts, closes, statementsSafe(stmts))
	if !wrapped {
		for !multi && len(s.Exprs) < 3 {
			none := &ast.NilExpr{}
			none.SetLine(s.Line())
			s.Exprs = append(s.Exprs, none)
		}
		return []ast.Stmt{s}
	}
	r.close()
	names := []string{r.temp(), r.temp(), r.temp()}
	first := localAssign(s, names, s.Exprs...)
	s.Exprs = []ast.Expr{ident(s, names[0]), ident(s, names[1]), ident(s, names[2])}
	return []ast.Stmt{block(s, first, s)}
}
