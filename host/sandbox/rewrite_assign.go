package sandbox

import "github.com/yuin/gopher-lua/ast"

func (r *rewriter) assignment(s *ast.AssignStmt) []ast.Stmt {
	if len(s.Lhs) == 1 && len(s.Rhs) == 1 {
		return r.single(s)
	}
	return r.multiple(s)
}

// single rewrites an assignment to one target.
func (r *rewriter) single(s *ast.AssignStmt) []ast.Stmt {
	height := 2
	prefix := 0
	var target *variable
	switch lhs := s.Lhs[0].(type) {
	case *ast.IdentExpr:
		target = r.target(lhs)
	case *ast.AttrGetExpr:
		var h int
		lhs.Object, h = r.expr(lhs.Object)
		height = max(height, h)
		lhs.Key, h = r.expr(lhs.Key)
		height = max(height, 1+h)
		prefix = 2
		if !isPrefix(lhs.Object) { // ("x").y = 1: gopher-lua takes the constant for a register
			return r.spread(s)
		}
	}
	var h int
	s.Rhs[0], h = r.expr(s.Rhs[0])
	r.fits(s, max(height, prefix+h)+1)
	if target != nil && r.detour(target, s.Rhs[0]) {
		name := r.temp()
		return []ast.Stmt{block(s, localAssign(s, []string{name}, s.Rhs[0]), assign(s, s.Lhs[0], ident(s, name)))}
	}
	return []ast.Stmt{s}
}

// detour tells whether gopher-lua would put the value into target's register
// too early, or beside it.
func (r *rewriter) detour(target *variable, value ast.Expr) bool {
	switch e := value.(type) {
	case *ast.LogicalOpExpr, *ast.Comma3Expr:
		return true
	case *ast.FuncCallExpr:
		return e.AdjustRet && target.lastParam
	}
	return false
}

// target is the local that an assignment names; nil for one of an outer
// function.
func (r *rewriter) target(id *ast.IdentExpr) *variable {
	v, global := r.local(id.Value)
	if global {
		r.fail(id, "global '%s' is not declared; use local", id.Value)
	}
	return v
}

// multiple rewrites an assignment of several targets or values.
func (r *rewriter) multiple(s *ast.AssignStmt) []ast.Stmt {
	for _, lhs := range s.Lhs {
		switch lhs := lhs.(type) {
		case *ast.IdentExpr:
			r.target(lhs)
		case *ast.AttrGetExpr:
			lhs.Object, lhs.Key = r.value(lhs.Object), r.value(lhs.Key)
		}
	}
	return r.spread(s)
}

// spread evaluates the parts of the targets, then the values, into
// temporaries, and assigns them from right to left, as PUC Lua does. The
// targets' parts are rewritten already, the values are not.
func (r *rewriter) spread(s *ast.AssignStmt) []ast.Stmt {
	r.open(nil)
	var names []string
	var parts []ast.Expr
	hold := func(e ast.Expr) ast.Expr {
		name := r.temp()
		names, parts = append(names, name), append(parts, e)
		return ident(e, name)
	}
	for i, lhs := range s.Lhs {
		if attr, ok := lhs.(*ast.AttrGetExpr); ok {
			if !r.inPlace(attr.Object, s.Lhs[i+1:]) {
				attr.Object = hold(attr.Object)
			}
			if !isConstant(attr.Key) && !r.inPlace(attr.Key, s.Lhs[i+1:]) {
				attr.Key = hold(attr.Key)
			}
		}
	}
	var out []ast.Stmt
	if len(parts) > 0 {
		out = append(out, localAssign(s, names, parts...))
		r.reserve(len(names))
	}
	values := make([]string, len(s.Lhs))
	for i := range values {
		values[i] = r.temp()
	}
	out = append(out, localAssign(s, values, r.values(s, s.Rhs)...))
	r.reserve(len(values))
	r.fits(s, 4)
	for i := len(s.Lhs) - 1; i >= 0; i-- {
		out = append(out, assign(s, s.Lhs[i], ident(s, values[i])))
	}
	r.close()
	return []ast.Stmt{block(s, out...)}
}

// inPlace tells whether a part of a target is a local of this function that
// none of the later targets assigns: then it is read when it is used.
func (r *rewriter) inPlace(e ast.Expr, later []ast.Expr) bool {
	id, ok := e.(*ast.IdentExpr)
	if !ok {
		return false
	}
	if v, _ := r.local(id.Value); v == nil {
		return false
	}
	for _, lhs := range later {
		if other, ok := lhs.(*ast.IdentExpr); ok && other.Value == id.Value {
			return false
		}
	}
	return true
}

// isPrefix tells what may stand before a dot without being a constant.
func isPrefix(e ast.Expr) bool {
	switch e.(type) {
	case *ast.IdentExpr, *ast.AttrGetExpr, *ast.FuncCallExpr:
		return true
	}
	return false
}

func isConstant(e ast.Expr) bool {
	switch e.(type) {
	case *ast.StringExpr, *ast.NumberExpr, *ast.TrueExpr, *ast.FalseExpr, *ast.NilExpr:
		return true
	}
	return false
}

// isMulti tells whether an expression may have any number of values.
func isMulti(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.FuncCallExpr:
		return !e.AdjustRet
	case *ast.Comma3Expr:
		return !e.AdjustRet
	}
	return false
}
