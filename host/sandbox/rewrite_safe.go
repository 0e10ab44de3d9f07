package sandbox

import "github.com/yuin/gopher-lua/ast"

// These functions tell whether the first instruction of some code is surely no
// jump. They may say no too often: that costs one idle instruction.

// conditionSafe is about an expression that is branched on.
func conditionSafe(e ast.Expr) bool {
	if not, ok := e.(*ast.UnaryNotOpExpr); ok {
		return conditionSafe(not.Expr)
	}
	return !isConstant(e) && valueSafe(e)
}

func constantTrue(e ast.Expr) bool {
	switch e.(type) {
	case *ast.TrueExpr, *ast.NumberExpr, *ast.StringExpr:
		return true
	}
	return false
}

// valueSafe is about an expression whose value is wanted in a register.
func valueSafe(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.IdentExpr, *ast.NumberExpr, *ast.StringExpr, *ast.TrueExpr, *ast.FalseExpr, *ast.NilExpr,
		*ast.FunctionExpr, *ast.TableExpr:
		return true
	case *ast.AttrGetExpr:
		return operandsSafe(e.Object, e.Key)
	case *ast.FuncCallExpr:
		if e.Func != nil {
			return valueSafe(e.Func)
		}
		return valueSafe(e.Receiver)
	case *ast.ArithmeticOpExpr:
		return operandsSafe(e.Lhs, e.Rhs)
	case *ast.RelationalOpExpr:
		return operandsSafe(e.Lhs, e.Rhs)
	case *ast.UnaryLenOpExpr:
		return valueSafe(e.Expr)
	}
	return false
}

// operandsSafe is about two operands. Locals and what can be computed at
// compile time need no instruction of their own, so that the second operand
// may come first.
func operandsSafe(first, second ast.Expr) bool {
	switch first.(type) {
	case *ast.AttrGetExpr, *ast.FuncCallExpr, *ast.TableExpr, *ast.FunctionExpr, *ast.UnaryLenOpExpr:
		return valueSafe(first)
	}
	return valueSafe(first) && valueSafe(second)
}

// statementsSafe is about a block.
func statementsSafe(stmts []ast.Stmt) bool {
	if len(stmts) == 0 {
		return false
	}
	switch s := stmts[0].(type) {
	case *ast.FuncCallStmt:
		return valueSafe(s.Expr)
	case *ast.LocalAssignStmt:
		return len(s.Exprs) == 0 || valueSafe(s.Exprs[0])
	case *ast.AssignStmt:
		if attr, ok := s.Lhs[0].(*ast.AttrGetExpr); ok {
			return operandsSafe(attr.Object, attr.Key)
		}
		return valueSafe(s.Rhs[0])
	case *ast.DoBlockStmt:
		return statementsSafe(s.Stmts)
	case *ast.IfStmt:
		return conditionSafe(s.Condition)
	case *ast.NumberForStmt:
		return valueSafe(s.Init)
	case *ast.GenericForStmt:
		return valueSafe(s.Exprs[0])
	case *ast.FuncDefStmt:
		return true
	}
	return false
}
