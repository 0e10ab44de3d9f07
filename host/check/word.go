package check

import (
	"fmt"
	"strconv"
	"time"

	"github.com/yuin/gopher-lua/ast"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/words"
)

// runbookWord is a call of a word with its signature.
func (c *checker) runbookWord(e *ast.FuncCallExpr, w *words.Word, line int) []value {
	if !w.AtLoad {
		c.fn.asks = append(c.fn.asks, use{line: line, what: w.Name})
	}
	placed := c.place(e, w, line)
	it := c.beginItem(e, w, placed, line)
	values := map[string]value{}
	for _, p := range w.Params {
		arg := placed[p.Name]
		if arg == nil {
			continue
		}
		c.prepare(w, p, arg, it, values)
		values[p.Name] = c.expr(arg)
		c.wordArgument(w, p, arg, values[p.Name])
	}
	for _, extra := range e.Args {
		if _, walked := c.known[extra]; !walked {
			c.expr(extra)
		}
	}
	if w.Name == "runbook" || w.Name == "drill" {
		return []value{c.head(e, w.Name, line)}
	}
	return c.wordResult(w, placed, values, it)
}

// place matches the arguments to the word's parameters; an optional one in the
// middle may be left out.
func (c *checker) place(e *ast.FuncCallExpr, w *words.Word, line int) map[string]ast.Expr {
	placed := map[string]ast.Expr{}
	args, params := e.Args, w.Params
	if len(params) == 1 && params[0].Name == "..." {
		return placed
	}
	skip := len(params) - len(args)
	least := 0
	for _, p := range params {
		if !p.Optional {
			least++
		}
	}
	spread := len(args) > 0 && many(args[len(args)-1])
	if len(args) > len(params) || len(args) < least && !(spread && len(args) > 0) {
		c.errorf(line, CodeWord, "%s is written %s, not with %s", w.Name, w.Signature(), plural(len(args), "argument"))
	}
	for i, p := range params {
		if len(args) == 0 {
			break
		}
		if p.Optional && skip > 0 && i < len(params)-1 {
			skip--
			continue
		}
		placed[p.Name], args = args[0], args[1:]
	}
	return placed
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// prepare tells functions what they are the body of, before they are walked.
func (c *checker) prepare(w *words.Word, p words.Param, arg ast.Expr, it *item, values map[string]value) {
	switch p.Kind {
	case words.Function:
		f := c.functionOf(arg)
		if f == nil {
			return
		}
		f.form = w.Name
		if w.Name == "each" {
			f.params = []value{{}}
			if items := c.items(values["list"], "ipairs"); len(items) == 2 {
				f.params = []value{items[1]}
			}
		}
		it.branch("", f)
	case words.Head:
		if table, ok := arg.(*ast.TableExpr); ok {
			c.entries(w.Name, table)
		}
	case words.Branches:
		table, ok := arg.(*ast.TableExpr)
		if !ok {
			return
		}
		for _, field := range table.Fields {
			name, named := "", false
			if field.Key != nil {
				name, named = literalString(field.Key)
			}
			if f := c.functionOf(field.Value); f != nil && named {
				f.form = w.Name
				it.branch(name, f)
			}
		}
	case words.Options:
		if table, ok := arg.(*ast.TableExpr); ok {
			for _, field := range table.Fields {
				if name, _ := literalString(field.Key); name == "undo" {
					if f := c.functionOf(field.Value); f != nil {
						f.form, f.params = "undo", nil
						if known := c.results[it.title]; len(known) == 1 {
							f.params = known // it is given the step's value
						}
					}
				}
			}
		}
	}
}

// functionOf is the script's function that e is, or names.
func (c *checker) functionOf(e ast.Expr) *fn {
	switch e := e.(type) {
	case *ast.FunctionExpr:
		return c.function(e)
	case *ast.IdentExpr:
		if s := c.lookup(e.Value); s != nil {
			if v := s.value(); v.kind == function {
				return v.fn
			}
		}
	}
	return nil
}

// wordArgument judges one argument of a word.
func (c *checker) wordArgument(w *words.Word, p words.Param, e ast.Expr, v value) {
	line := e.Line()
	switch p.Kind {
	case words.Title:
		c.titleArgument(w, e, v)
	case words.Options:
		c.wordOptions(w, e, v)
	case words.Branches:
		c.branches(w, e, v)
	case words.Items:
		if v.isText() || v.is(binding.Bool, binding.Number, binding.Integer, binding.Record, binding.Map) || v.kind == function || v.kind == nothing {
			c.errorf(line, CodeWord, "%s goes through a list, not %s", w.Name, describe(v))
		} else if v.kind == shaped && v.shape.elem == nil && len(v.shape.order) > 0 {
			c.errorf(line, CodeWord, "%s goes through a list, not a table with named fields", w.Name)
		}
	case words.Condition:
		c.condition(w, e, v)
	case words.Head, words.Any:
	default:
		c.ofWordKind(w.Name+" takes "+article(p.Kind)+" as "+p.Name, p.Kind, e, v, CodeWord)
	}
}

func article(k words.Kind) string {
	switch k {
	case words.Text:
		return "a text"
	case words.Duration:
		return `a time such as "30s" or "5m"`
	case words.Count:
		return "a whole number from 1 on"
	case words.Number:
		return "a number"
	case words.Flag:
		return "true or false"
	case words.Function:
		return "a function"
	case words.Texts:
		return "a list of texts"
	case words.Items:
		return "a list"
	case words.Table:
		return "a table with named fields"
	}
	return "a value"
}

// ofWordKind reports a value that certainly is of another kind; wants says
// what is wanted.
func (c *checker) ofWordKind(wants string, k words.Kind, e ast.Expr, v value, code string) {
	if v.kind == unknown {
		return
	}
	text, isLiteral := literalString(e)
	ok, not := true, describe(v)
	switch k {
	case words.Text:
		ok = v.isText() && !(isLiteral && text == "")
		if isLiteral && text == "" {
			not = "an empty one"
		}
	case words.Duration:
		if ok = v.isText(); isLiteral {
			d, err := time.ParseDuration(text)
			ok, not = err == nil && d >= 0, strconv.Quote(text)
		}
	case words.Count:
		ok = v.is(binding.Number, binding.Integer)
		if n, is := e.(*ast.NumberExpr); is {
			x, err := strconv.ParseFloat(n.Value, 64)
			ok, not = err != nil || x >= 1 && x == float64(int64(x)), n.Value
		}
	case words.Number:
		ok = v.is(binding.Number, binding.Integer)
	case words.Flag:
		ok = v.is(binding.Bool)
	case words.Function:
		ok = v.kind == function || v.kind == provider || v.kind == word
	case words.Texts, words.Items:
		ok = v.is(binding.List) || v.kind == shaped && len(v.shape.order) == 0
	case words.Table:
		ok = v.isTable() && !v.is(binding.List)
	}
	if !ok {
		c.errorf(e.Line(), code, "%s, not %s", wants, not)
	}
}

// wordOptions judges the options table of a word.
func (c *checker) wordOptions(w *words.Word, e ast.Expr, v value) {
	table, ok := e.(*ast.TableExpr)
	if !ok {
		if v.kind != unknown && v.kind != nothing && !v.isTable() {
			c.errorf(e.Line(), CodeWord, "%s takes its options as a table, not %s; it is written %s", w.Name, describe(v), w.Signature())
		}
		return
	}
	for _, f := range table.Fields {
		name, named := "", false
		if f.Key != nil {
			name, named = literalString(f.Key)
		}
		if !named {
			if f.Key == nil {
				c.errorf(f.Value.Line(), CodeOption, "the options of %s have names", w.Name)
			}
			continue
		}
		option := words.Lookup(w.Options, name)
		if option == nil {
			c.misspelt(keyLine(f), CodeOption, name, words.Names(w.Options), "%s has no option %q", w.Name, name)
			continue
		}
		c.ofWordKind(fmt.Sprintf("%s: option %s must be %s", w.Name, name, article(option.Kind)), option.Kind, f.Value, c.peek(f.Value), CodeOption)
	}
}

func keyLine(f *ast.Field) int {
	if f.Key != nil && f.Key.Line() > 0 {
		return f.Key.Line()
	}
	return f.Value.Line()
}

// branches judges the table of functions of parallel.
func (c *checker) branches(w *words.Word, e ast.Expr, v value) {
	table, ok := e.(*ast.TableExpr)
	if !ok {
		if v.kind != unknown && v.kind != shaped {
			c.errorf(e.Line(), CodeWord, "parallel takes { name = function() ... end, ... }, not %s", describe(v))
		}
		return
	}
	if len(table.Fields) == 0 {
		c.warnf(e.Line(), CodeWord, "%s without branches does nothing", w.Name)
	}
	for _, f := range table.Fields {
		branch := c.peek(f.Value)
		if f.Key == nil {
			c.errorf(f.Value.Line(), CodeWord, "the branches of parallel have names: { name = function() ... end }")
		} else if branch.kind != unknown && branch.kind != function {
			c.errorf(f.Value.Line(), CodeWord, "parallel takes { name = function() ... end, ... }, and this branch is %s", describe(branch))
		}
	}
}

// wordResult is what a word gives back.
func (c *checker) wordResult(w *words.Word, placed map[string]ast.Expr, values map[string]value, it *item) []value {
	body := func() value {
		if f := values["fn"]; f.kind == function {
			return f.fn.result
		}
		return value{}
	}
	switch w.Name {
	case "step":
		v := body()
		if title, ok := literalString(placed["title"]); ok {
			c.gathered[title] = append(c.gathered[title], v)
		}
		return []value{v}
	case "retry":
		return []value{body()}
	case "each":
		result, f := body(), faultValue()
		return []value{{kind: mapped, elem: &result}, {kind: mapped, elem: &f}}
	case "parallel":
		return c.branchResults(placed["branches"], it)
	case "eventually":
		c.polledResult(placed["fn"], body())
		return []value{ofKind(binding.Bool)}
	case "approve", "finish":
		return []value{ofKind(binding.Bool)}
	case "ask":
		return []value{ofKind(binding.String)}
	case "expect":
		return []value{values["condition"]}
	case "secret":
		return []value{ofKind(binding.Secret)}
	}
	return nil
}

// branchResults are the values of parallel by branch, and the faults by branch.
func (c *checker) branchResults(e ast.Expr, it *item) []value {
	table, ok := e.(*ast.TableExpr)
	if !ok {
		return []value{{}, {}}
	}
	s, results, failures := c.shapes[table], c.made(table, 0), c.made(table, 1)
	results.loose, failures.loose = s.loose, s.loose
	for _, name := range s.order {
		v := value{}
		for _, b := range it.branches {
			if b.name == name {
				v = b.fn.result
			}
		}
		results.fields[name], results.order = v, append(results.order, name)
		failures.fields[name] = faultValue()
		failures.order = append(failures.order, name)
	}
	return []value{{kind: shaped, shape: results}, {kind: shaped, shape: failures}}
}

func faultValue() value {
	return value{kind: object, name: "a fault", members: words.Fault(), maybe: true}
}

// made is a shape that a word puts together, the same one in every pass.
func (c *checker) made(node any, index int) *shape {
	key := symbolKey{node, index}
	s := c.built[key]
	if s == nil {
		s = &shape{}
		c.built[key] = s
	}
	s.fields, s.order = map[string]value{}, nil
	return s
}

// condition refuses what can never be false.
func (c *checker) condition(w *words.Word, e ast.Expr, v value) {
	switch {
	case v.kind == function || v.kind == provider || v.kind == word:
		c.errorf(e.Line(), CodeWord, "%s is given a function, which is never false; call it", w.Name)
	case !v.maybe && v.is(binding.Record, binding.List, binding.Map):
		p := Problem{Line: e.Line(), Code: CodeWord, Message: fmt.Sprintf("%s is given %s, which is never false", w.Name, describe(v))}
		if v.is(binding.Record) && v.typ.Field("ok") != nil {
			p.Message += "; look at its field ok"
		}
		c.report(p)
	}
}

// polledResult refuses a function that can never return true.
func (c *checker) polledResult(e ast.Expr, v value) {
	never := v.kind == nothing || v.kind == shaped || v.kind == data && v.typ.Kind != binding.Bool
	if e != nil && never && c.functionOf(e) != nil {
		c.errorf(e.Line(), CodeWord, "eventually waits until its function returns true, and this one returns %s", describe(v))
	}
}
