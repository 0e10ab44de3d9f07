package check

import (
	"strconv"
	"strings"

	"github.com/yuin/gopher-lua/ast"

	"github.com/webhost-systems/drhost/host/words"
)

// head is runbook { ... } or drill { ... }.
func (c *checker) head(e *ast.FuncCallExpr, form string, line int) value {
	if c.form != "" {
		c.errorf(line, CodeForm, "a file declares one runbook or drill, and this is the second")
		return value{kind: declared}
	}
	c.form, c.formLine, c.inputs = form, line, nil
	if len(e.Args) != 1 {
		return value{kind: declared}
	}
	table, ok := e.Args[0].(*ast.TableExpr)
	if !ok {
		if v := c.peek(e.Args[0]); v.kind != unknown && v.kind != shaped {
			c.errorf(line, CodeHead, "%s takes a table: %s { title = ..., ... }, not %s", form, form, describe(v))
		}
		return value{kind: declared}
	}
	fields := words.RunbookHead()
	if form == "drill" {
		fields = words.DrillHead()
	}
	c.headFields(form, table, fields)
	c.needed(form, table, fields, line)
	if form == "runbook" {
		c.declareInput(table)
	} else if fieldOf(table, "expect") == nil {
		c.warnf(line, CodeHead, "a drill without expect = function(world, run) proves nothing")
	}
	return value{kind: declared}
}

// entries tells the functions of a head what they are and what they are given.
// It comes before they are walked.
func (c *checker) entries(form string, table *ast.TableExpr) {
	params := map[string][]value{"run": {{kind: given, name: "input"}}}
	if form == "drill" {
		w := value{kind: world, name: "world"}
		params = map[string][]value{"setup": {w}, "fault": {w},
			"expect": {w, {kind: object, name: "run", members: words.Outcome()}}}
	}
	for name, given := range params {
		if e := fieldOf(table, name); e != nil {
			if f := c.functionOf(e); f != nil {
				f.form, f.params = name, given
			}
		}
	}
}

func fieldOf(table *ast.TableExpr, name string) ast.Expr {
	for _, f := range table.Fields {
		if f.Key != nil {
			if key, _ := literalString(f.Key); key == name {
				return f.Value
			}
		}
	}
	return nil
}

// headFields holds a table against its declared fields. what names it: "the
// runbook", "objective", "input server".
func (c *checker) headFields(what string, table *ast.TableExpr, fields []words.Field) {
	for _, f := range table.Fields {
		name, named := "", false
		if f.Key != nil {
			name, named = literalString(f.Key)
		}
		if !named {
			c.errorf(f.Value.Line(), CodeHead, "%s takes named fields only", what)
			continue
		}
		field := words.Lookup(fields, name)
		if field == nil {
			c.misspelt(keyLine(f), CodeHead, name, words.Names(fields), "%s has no field %q", what, name)
			continue
		}
		c.headField(what, f.Value, field)
	}
}

func (c *checker) headField(what string, e ast.Expr, field *words.Field) {
	v := c.peek(e)
	where := what + "." + field.Name
	if field.Kind != words.Any {
		c.ofWordKind(where+" must be "+article(field.Kind), field.Kind, e, v, CodeHead)
	}
	if text, ok := literalString(e); ok && len(field.Choices) > 0 && !has(field.Choices, text) {
		c.misspelt(e.Line(), CodeHead, text, field.Choices, "%s cannot be %q", where, text)
	}
	table, ok := e.(*ast.TableExpr)
	if !ok {
		return
	}
	switch {
	case field.Fields != nil:
		c.headFields(field.Name, table, field.Fields)
	case field.Each != nil:
		c.headEach(field, table)
	}
	if field.Kind == words.Texts {
		for _, item := range table.Fields {
			if x := c.peek(item.Value); x.kind != unknown && !x.isText() {
				c.errorf(item.Value.Line(), CodeHead, "%s is a list of texts, and this is %s", where, describe(x))
			}
		}
	}
}

// headEach judges the declarations of a runbook's input.
func (c *checker) headEach(field *words.Field, table *ast.TableExpr) {
	for _, f := range table.Fields {
		name, named := "", false
		if f.Key != nil {
			name, named = literalString(f.Key)
		}
		inner, isTable := f.Value.(*ast.TableExpr)
		if !named || !isTable {
			if v := c.peek(f.Value); !named || v.kind != unknown && v.kind != shaped {
				c.errorf(f.Value.Line(), CodeHead, "%s is written { name = { doc = \"...\", example = \"...\" }, ... }", field.Name)
			}
			continue
		}
		what := field.Name + " " + name
		c.headFields(what, inner, field.Each)
		if fieldOf(inner, "doc") == nil {
			c.warnf(keyLine(f), CodeHead, "%s has no doc; it is what a person is shown who has to give it", what)
		}
		c.choices(what, inner)
	}
}

// choices sees that a default is among the choices.
func (c *checker) choices(what string, table *ast.TableExpr) {
	list, ok := fieldOf(table, "choices").(*ast.TableExpr)
	given, isText := literalText(fieldOf(table, "default"))
	if !ok || !isText {
		return
	}
	var known []string
	for _, f := range list.Fields {
		text, isText := literalText(f.Value)
		if !isText {
			return
		}
		known = append(known, text)
	}
	if !has(known, given) {
		c.misspelt(list.Line(), CodeHead, given, known, "%s: the default %q is none of its choices", what, given)
	}
}

func literalText(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.StringExpr:
		return e.Value, true
	case *ast.NumberExpr:
		return e.Value, true
	}
	return "", false
}

// needed reports fields that every head has.
func (c *checker) needed(form string, table *ast.TableExpr, fields []words.Field, line int) {
	for _, f := range table.Fields {
		if f.Key == nil {
			continue
		}
		if _, ok := literalString(f.Key); !ok {
			return
		}
	}
	for _, f := range fields {
		if f.Required && fieldOf(table, f.Name) == nil {
			c.errorf(line, CodeHead, "a %s needs %s: %s", form, f.Name, strings.TrimSuffix(f.Doc, "."))
		}
	}
	if speed, ok := fieldOf(table, "speed").(*ast.NumberExpr); ok {
		if n, err := strconv.ParseFloat(speed.Value, 64); err == nil && n < 1 {
			c.errorf(speed.Line(), CodeHead, "speed must be 1 or more, not %s", speed.Value)
		}
	}
}

// declareInput remembers what input.name may say.
func (c *checker) declareInput(table *ast.TableExpr) {
	c.inputs = map[string]bool{}
	e := fieldOf(table, "input")
	if e == nil {
		return
	}
	input, ok := e.(*ast.TableExpr)
	if !ok {
		c.inputs = nil
		return
	}
	for _, f := range input.Fields {
		name, ok := literalString(f.Key)
		if !ok {
			c.inputs = nil
			return
		}
		c.inputs[name] = true
	}
}

// judgeForm sees that the file ends in return runbook { ... } or drill { ... }.
func (c *checker) judgeForm(chunk []ast.Stmt) {
	line := strings.Count(strings.TrimRight(string(c.source), " \t\r\n"), "\n") + 1
	var last *ast.ReturnStmt
	if len(chunk) > 0 {
		last, _ = chunk[len(chunk)-1].(*ast.ReturnStmt)
	}
	returned := value{kind: nothing}
	if last != nil && len(last.Exprs) > 0 {
		returned = c.peek(last.Exprs[0])
	}
	switch {
	case returned.kind == declared && len(last.Exprs) == 1, returned.kind == unknown && last != nil && c.reported(last.Line()):
	case c.form != "":
		c.errorf(line, CodeForm, "the file must end in `return %s { ... }`; the one of line %d is not returned", c.form, c.formLine)
	case last != nil:
		c.errorf(last.Line(), CodeForm, "the file must end in `return runbook { ... }`, and it returns something else")
	default:
		c.errorf(line, CodeForm, "the file must end in `return runbook { ... }`")
	}
}

// reported tells whether a line has an error already.
func (c *checker) reported(line int) bool {
	for _, p := range c.problems {
		if p.Line == line && p.Severity == Error {
			return true
		}
	}
	return false
}
