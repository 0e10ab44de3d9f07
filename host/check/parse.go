package check

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"

	"github.com/webhost-systems/drhost/host/words"
)

// maxSource is what the sandbox compiles at most.
const maxSource = words.MaxSource

// parseSource returns the file's statements, or the one syntax error that the
// parser found.
func parseSource(name string, source []byte) (chunk []ast.Stmt, problem *Problem) {
	wrong := func(line, column int, text string) *Problem {
		return &Problem{File: name, Line: max(line, 1), Column: max(column, 0), Code: CodeSyntax, Message: text, Severity: Error}
	}
	if len(source) > maxSource {
		return nil, wrong(1, 0, fmt.Sprintf("the file has %d KiB; at most %d are read", len(source)>>10, maxSource>>10))
	}
	defer func() {
		if p := recover(); p != nil {
			chunk, problem = nil, wrong(1, 0, fmt.Sprintf("the file cannot be parsed: %v", p))
		}
	}()
	chunk, err := parse.Parse(bytes.NewReader(source), name)
	if err == nil && chunk == nil {
		return nil, wrong(1, 0, "the file cannot be parsed")
	}
	if err == nil {
		return chunk, nil
	}
	var at *parse.Error
	if !errors.As(err, &at) {
		return nil, wrong(1, 0, err.Error())
	}
	if at.Pos.Line == parse.EOF {
		last := bytes.Count(bytes.TrimRight(source, " \t\r\n"), []byte("\n")) + 1
		return nil, wrong(last, 0, "the file ends too early: an `end`, a `}` or a `)` is missing")
	}
	text := strings.TrimSpace(at.Message)
	if at.Token != "" {
		text += fmt.Sprintf(" near %q", at.Token)
	}
	return nil, wrong(at.Pos.Line, at.Pos.Column, text)
}

// children calls visit with every expression and statement directly under
// node, which is an ast.Stmt or ast.Expr.
func children(node any, visit func(any)) {
	exprs := func(list []ast.Expr) {
		for _, e := range list {
			visit(e)
		}
	}
	stmts := func(list []ast.Stmt) {
		for _, s := range list {
			visit(s)
		}
	}
	switch n := node.(type) {
	case *ast.AssignStmt:
		exprs(n.Lhs)
		exprs(n.Rhs)
	case *ast.LocalAssignStmt:
		exprs(n.Exprs)
	case *ast.FuncCallStmt:
		visit(n.Expr)
	case *ast.DoBlockStmt:
		stmts(n.Stmts)
	case *ast.WhileStmt:
		visit(n.Condition)
		stmts(n.Stmts)
	case *ast.RepeatStmt:
		stmts(n.Stmts)
		visit(n.Condition)
	case *ast.IfStmt:
		visit(n.Condition)
		stmts(n.Then)
		stmts(n.Else)
	case *ast.NumberForStmt:
		visit(n.Init)
		visit(n.Limit)
		if n.Step != nil {
			visit(n.Step)
		}
		stmts(n.Stmts)
	case *ast.GenericForStmt:
		exprs(n.Exprs)
		stmts(n.Stmts)
	case *ast.FuncDefStmt:
		visit(n.Func)
	case *ast.ReturnStmt:
		exprs(n.Exprs)
	case *ast.FunctionExpr:
		stmts(n.Stmts)
	default:
		operands(node, visit)
	}
}

// operands is children for expressions other than functions.
func operands(node any, visit func(any)) {
	switch n := node.(type) {
	case *ast.AttrGetExpr:
		visit(n.Object)
		visit(n.Key)
	case *ast.TableExpr:
		for _, f := range n.Fields {
			if f.Key != nil {
				visit(f.Key)
			}
			visit(f.Value)
		}
	case *ast.FuncCallExpr:
		if n.Func != nil {
			visit(n.Func)
		}
		if n.Receiver != nil {
			visit(n.Receiver)
		}
		for _, a := range n.Args {
			visit(a)
		}
	case *ast.LogicalOpExpr:
		visit(n.Lhs)
		visit(n.Rhs)
	case *ast.RelationalOpExpr:
		visit(n.Lhs)
		visit(n.Rhs)
	case *ast.StringConcatOpExpr:
		visit(n.Lhs)
		visit(n.Rhs)
	case *ast.ArithmeticOpExpr:
		visit(n.Lhs)
		visit(n.Rhs)
	case *ast.UnaryMinusOpExpr:
		visit(n.Expr)
	case *ast.UnaryNotOpExpr:
		visit(n.Expr)
	case *ast.UnaryLenOpExpr:
		visit(n.Expr)
	}
}

// inspect calls visit with node and everything under it.
func inspect(node any, visit func(any)) {
	visit(node)
	children(node, func(child any) { inspect(child, visit) })
}

// literalString is the value of a string literal.
func literalString(e ast.Expr) (string, bool) {
	s, ok := e.(*ast.StringExpr)
	if !ok {
		return "", false
	}
	return s.Value, true
}

// exprText is how an expression reads in a message: "failed.server". It is
// empty for what does not read well.
func exprText(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.IdentExpr:
		return e.Value
	case *ast.AttrGetExpr:
		object := exprText(e.Object)
		if key, ok := literalString(e.Key); ok && object != "" {
			return object + "." + key
		}
		if object != "" {
			return object + "[...]"
		}
	case *ast.FuncCallExpr:
		if f := exprText(e.Func); e.Func != nil && f != "" {
			return f + "(...)"
		}
	}
	return ""
}

// requireOf is the literal module name when e is require "name".
func requireOf(e any) (name string, line int, ok bool) {
	call, is := e.(*ast.FuncCallExpr)
	if !is || call.Func == nil || len(call.Args) != 1 {
		return "", 0, false
	}
	id, is := call.Func.(*ast.IdentExpr)
	if !is || id.Value != "require" {
		return "", 0, false
	}
	name, ok = literalString(call.Args[0])
	return name, call.Line(), ok
}
