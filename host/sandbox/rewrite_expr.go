package sandbox

import (
	"strconv"

	"github.com/yuin/gopher-lua/ast"
)

const (
	flush      = 50     // items that a table constructor holds before it stores them
	maxItemsIn = 25_000 // items of one constructor that gopher-lua can count
	maxParts   = 20     // parts of one call that builds a table
)

// expr rewrites an expression. height is how many registers it needs, its own
// result among them.
func (r *rewriter) expr(expr ast.Expr) (out ast.Expr, height int) {
	r.enter(expr)
	defer r.leave()
	switch e := expr.(type) {
	case *ast.NumberExpr:
		r.number(e)
	case *ast.StringExpr:
		r.constant(e, e.Value)
	case *ast.Comma3Expr:
		if !r.fn.varargs {
			r.fail(e, "'...' outside a function that takes any number of arguments")
		}
	case *ast.IdentExpr:
		if _, global := r.local(e.Value); global {
			r.constant(e, e.Value)
		}
	case *ast.AttrGetExpr:
		height = r.pair(&e.Object, &e.Key)
	case *ast.RelationalOpExpr:
		if r.foresee {
			return r.compare(e)
		}
		height = r.pair(&e.Lhs, &e.Rhs)
	case *ast.ArithmeticOpExpr:
		height = r.pair(&e.Lhs, &e.Rhs)
	case *ast.LogicalOpExpr:
		height = r.pair(&e.Lhs, &e.Rhs)
		if truth, known := constantTruth(e.Lhs); known && truth == (e.Operator == "and") {
			single(e.Rhs)
			return e.Rhs, height
		}
	case *ast.StringConcatOpExpr:
		return r.concat(e)
	case *ast.UnaryMinusOpExpr:
		e.Expr, height = r.expr(e.Expr)
	case *ast.UnaryNotOpExpr:
		e.Expr, height = r.expr(e.Expr)
	case *ast.UnaryLenOpExpr:
		if r.foresee {
			return r.length(e)
		}
		e.Expr, height = r.expr(e.Expr)
	case *ast.FunctionExpr:
		r.functionBody(e, false)
	case *ast.FuncCallExpr:
		height = r.call(e)
	case *ast.TableExpr:
		return r.table(e)
	}
	return expr, max(height, 1)
}

func (r *rewriter) pair(lhs, rhs *ast.Expr) int {
	var left, right int
	*lhs, left = r.expr(*lhs)
	*rhs, right = r.expr(*rhs)
	return max(left, 1+right)
}

// constantTruth tells whether an expression is known to be true or to be
// false. PUC Lua drops the left side of `true and x` and `nil or x`, so that x
// is read when it is used; so does the rewriter.
func constantTruth(e ast.Expr) (truth, known bool) {
	switch e := e.(type) {
	case *ast.TrueExpr, *ast.NumberExpr, *ast.StringExpr:
		return true, true
	case *ast.FalseExpr, *ast.NilExpr:
		return false, true
	case *ast.UnaryNotOpExpr:
		truth, known = constantTruth(e.Expr)
		return !truth, known
	case *ast.UnaryMinusOpExpr:
		_, number := e.Expr.(*ast.NumberExpr)
		return true, number
	}
	return false, false
}

// number writes a literal anew, so that gopher-lua reads the right value.
func (r *rewriter) number(e *ast.NumberExpr) {
	v, ok := parseNumber(e.Value)
	if !ok {
		r.fail(e, "malformed number near '%s'", e.Value)
	}
	e.Value = strconv.FormatFloat(v, 'g', -1, 64)
	r.constant(e, "#"+e.Value)
}

func (r *rewriter) functionBody(e *ast.FunctionExpr, method bool) {
	outer := r.fn
	r.fn = &function{parent: outer, varargs: e.ParList.HasVargs, constants: map[string]bool{}}
	r.open(nil)
	if method {
		r.declare("self")
	}
	r.declare(e.ParList.Names...)
	if n := len(r.fn.scope.vars); n > 0 {
		r.fn.scope.vars[n-1].lastParam = true
	}
	if e.ParList.HasVargs {
		r.declare("arg")
	}
	r.fits(e, 0)
	e.Stmts = r.statements(e.Stmts)
	r.fn = outer
}

func (r *rewriter) call(e *ast.FuncCallExpr) int {
	height, first := 0, 1
	if e.Func != nil {
		e.Func, height = r.expr(e.Func)
	} else {
		e.Receiver, height = r.expr(e.Receiver)
		r.constant(e, e.Method)
		height, first = height+1, 2
	}
	for i := range e.Args {
		var h int
		e.Args[i], h = r.expr(e.Args[i])
		height = max(height, first+i+h)
	}
	return max(height, first+1)
}

// concat turns a..b..c into one call.
func (r *rewriter) concat(e *ast.StringConcatOpExpr) (ast.Expr, int) {
	var operands []ast.Expr
	var rest ast.Expr = e
	for {
		c, ok := rest.(*ast.StringConcatOpExpr)
		if !ok {
			break
		}
		operands, rest = append(operands, c.Lhs), c.Rhs
	}
	operands = append(operands, rest)
	call := hostCall(e, concatName, operands...)
	if last := len(operands) - 1; isMulti(operands[last]) {
		single(operands[last])
	}
	height := r.call(call)
	if len(operands) > maxRegisters/2 {
		r.fail(e, "more than %d operands in one concatenation; use table.concat", maxRegisters/2)
	}
	return call, height
}

// single makes a call or `...` stand for exactly one value.
func single(e ast.Expr) {
	switch e := e.(type) {
	case *ast.FuncCallExpr:
		e.AdjustRet = true
	case *ast.Comma3Expr:
		e.AdjustRet = true
	}
}

// part is a piece of a table constructor that is made by itself.
type part struct {
	fields []*ast.Field
	items  int  // without names
	pair   bool // one field with a computed key
}

func (r *rewriter) table(e *ast.TableExpr) (ast.Expr, int) {
	height := 1
	items := 0
	for _, f := range e.Fields {
		h := 0
		if f.Key != nil {
			single(f.Value)
			h = r.pair(&f.Key, &f.Value)
		} else {
			f.Value, h = r.expr(f.Value)
		}
		height = max(height, 1+items%flush+h)
		if f.Key == nil {
			items++
		}
	}
	parts := split(e.Fields)
	if len(parts) < 2 {
		return e, height
	}
	return r.build(e, parts), height + 2*maxParts + 4
}

// split cuts a constructor where gopher-lua would go wrong. One part means
// that nothing has to be cut.
func split(fields []*ast.Field) []part {
	parts := []part{{}}
	for i, f := range fields {
		p := &parts[len(parts)-1]
		full := p.items > 0 && p.items%flush == 0
		multi := f.Key == nil && i == len(fields)-1 && isMulti(f.Value)
		if full && (f.Key != nil || multi) || p.items >= maxItemsIn {
			single(p.fields[len(p.fields)-1].Value) // it ends its part, but not the list
			parts = append(parts, part{})
			p = &parts[len(parts)-1]
		}
		p.fields = append(p.fields, f)
		if f.Key == nil {
			p.items++
		}
	}
	if len(parts) < 2 {
		return parts
	}
	return separate(parts)
}

// separate takes computed keys out of all parts but the first: they could be
// taken for the numbers of items.
func separate(parts []part) []part {
	out := parts[:1:1]
	for _, p := range parts[1:] {
		cur := part{}
		for _, f := range p.fields {
			if _, name := f.Key.(*ast.StringExpr); f.Key != nil && !name {
				out = append(out, cur, part{fields: []*ast.Field{f}, pair: true})
				cur = part{}
				continue
			}
			cur.fields = append(cur.fields, f)
			if f.Key == nil {
				cur.items++
			}
		}
		out = append(out, cur)
	}
	return out
}

// build makes the call that puts the parts together: a first table, then for
// each part "l", its items' offset and the table, or "p", the key and the value.
func (r *rewriter) build(e *ast.TableExpr, parts []part) ast.Expr {
	table := func(p part) *ast.TableExpr {
		t := &ast.TableExpr{Fields: p.fields}
		t.SetLine(e.Line())
		return t
	}
	text := func(s string) ast.Expr {
		x := &ast.StringExpr{Value: s}
		x.SetLine(e.Line())
		return x
	}
	var made ast.Expr = table(parts[0])
	offset := parts[0].items
	rest := parts[1:]
	for len(rest) > 0 {
		n := min(len(rest), maxParts)
		args := []ast.Expr{made}
		for _, p := range rest[:n] {
			switch {
			case p.pair:
				args = append(args, text("p"), p.fields[0].Key, p.fields[0].Value)
			case len(p.fields) > 0:
				at := &ast.NumberExpr{Value: strconv.Itoa(offset)}
				at.SetLine(e.Line())
				args = append(args, text("l"), at, table(p))
			}
			offset += p.items
		}
		made = hostCall(e, buildName, args...)
		rest = rest[n:]
	}
	return made
}
