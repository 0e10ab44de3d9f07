package check

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/yuin/gopher-lua/ast"

	"github.com/webhost-systems/drhost/host/binding"
)

func sortedStrings(list []string) []string {
	sort.Strings(list)
	return list
}

// providerCall is a call of a declared function.
func (c *checker) providerCall(e *ast.FuncCallExpr, spec *binding.Spec, line int) value {
	c.fn.asks = append(c.fn.asks, use{line: line, what: spec.Full()})
	args := c.arguments(e.Args)
	example := strings.SplitN(spec.Example, "\n", 2)[0]
	switch {
	case len(args) != 1:
		c.errorf(line, CodeCall, "%s takes exactly one table, as in %s", spec.Full(), example)
	case args[0].kind == shaped:
		if t, ok := e.Args[0].(*ast.TableExpr); ok {
			c.recordArgument(spec.Full(), t, spec.Args, "", line)
		} else {
			c.variableArgument(spec, args[0].shape, line)
		}
	case args[0].kind != unknown && !args[0].isTable():
		c.errorf(line, CodeCall, "%s takes exactly one table, not %s; as in %s", spec.Full(), describe(args[0]), example)
	case args[0].is(binding.List):
		c.errorf(line, CodeCall, "%s takes named arguments, not a list; as in %s", spec.Full(), example)
	}
	return ofType(spec.Result)
}

// variableArgument judges a table that was built before the call, if nothing
// else had its hands on it.
func (c *checker) variableArgument(spec *binding.Spec, s *shape, line int) {
	if !c.last {
		return
	}
	c.later = append(c.later, func() {
		if s.isOpen() || s.node == nil {
			return
		}
		for _, name := range s.order {
			if spec.Args.Field(name) == nil {
				c.misspelt(line, CodeArgument, name, fieldNames(spec.Args), "%s has no argument %q", spec.Full(), name)
			}
		}
		set := map[string]bool{}
		for name, v := range s.fields {
			set[name] = v.kind != nothing || v.maybe
		}
		c.lacking(spec.Full(), set, spec.Args, "", line)
	})
}

// recordArgument holds a table constructor against the record t. path is where
// the table stands among the arguments.
func (c *checker) recordArgument(call string, table *ast.TableExpr, t *binding.Type, path string, line int) {
	for _, f := range table.Fields {
		if f.Key == nil {
			text := fmt.Sprintf("%s takes named arguments", call)
			if len(t.Fields) > 0 {
				text += fmt.Sprintf(": { %s = ... }", t.Fields[0].Name)
			}
			c.errorf(f.Value.Line(), CodeArgument, "%s", text)
			continue
		}
		name, ok := literalString(f.Key)
		if !ok {
			continue
		}
		field := t.Field(name)
		at := f.Key.Line()
		if at == 0 {
			at = f.Value.Line()
		}
		if field == nil {
			c.misspelt(at, CodeArgument, name, fieldNames(t), "%s has no argument %q", call, under(path, name))
			continue
		}
		c.argument(call, f.Value, field, field.Type, under(path, name), at)
	}
	c.missing(call, table, t, path, line)
}

func under(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// missing reports arguments without which the call cannot be made.
func (c *checker) missing(call string, table *ast.TableExpr, t *binding.Type, path string, line int) {
	set := map[string]bool{}
	for _, f := range table.Fields {
		if f.Key == nil {
			return
		}
		name, ok := literalString(f.Key)
		if !ok {
			return
		}
		_, isNil := f.Value.(*ast.NilExpr)
		set[name] = !isNil
	}
	c.lacking(call, set, t, path, line)
}

// lacking reports what is required and not set.
func (c *checker) lacking(call string, set map[string]bool, t *binding.Type, path string, line int) {
	for _, f := range t.Fields {
		if !f.Optional && f.Default == "" && !set[f.Name] {
			c.errorf(line, CodeArgument, "%s needs the argument %q: %s", call, under(path, f.Name), strings.TrimSuffix(f.Doc, "."))
		}
	}
}

// argument holds one value against what is declared.
func (c *checker) argument(call string, e ast.Expr, field *binding.Field, t *binding.Type, path string, line int) {
	if e.Line() > 0 {
		line = e.Line()
	}
	if table, ok := e.(*ast.TableExpr); ok {
		c.tableArgument(call, table, field, t, path, line)
		return
	}
	if text, ok := literalString(e); ok {
		c.textArgument(call, text, field, t, path, line)
		return
	}
	if e, ok := e.(*ast.NumberExpr); ok && t.Kind == binding.Integer && strings.Contains(e.Value, ".") && !strings.HasPrefix(e.Value, "0x") {
		c.errorf(line, CodeArgument, "%s: argument %q must be a whole number, not %s", call, path, e.Value)
		return
	}
	c.valueArgument(call, e, t, path, line)
}

func (c *checker) tableArgument(call string, table *ast.TableExpr, field *binding.Field, t *binding.Type, path string, line int) {
	empty := len(table.Fields) == 0
	switch t.Kind {
	case binding.Record:
		c.recordArgument(call, table, t, path, line)
	case binding.List:
		for i, f := range table.Fields {
			if f.Key != nil {
				c.errorf(line, CodeArgument, "%s: argument %q must be a list, without names", call, path)
				return
			}
			c.argument(call, f.Value, field, t.Elem, fmt.Sprintf("%s[%d]", path, i+1), line)
		}
	case binding.Map:
		for _, f := range table.Fields {
			if f.Key == nil {
				c.errorf(line, CodeArgument, "%s: argument %q must be a table with named fields", call, path)
				return
			}
			name, _ := literalString(f.Key)
			c.argument(call, f.Value, nil, t.Elem, under(path, name), line)
		}
	case binding.Any:
	default:
		what := "a table"
		if empty {
			what = "an empty table"
		}
		c.errorf(line, CodeArgument, "%s: argument %q must be %s, not %s", call, path, wanted(t), what)
	}
}

// textArgument judges a literal text as the call itself would, but for a
// number or a truth in quotes: a call takes those for the sake of inputs.
func (c *checker) textArgument(call, text string, field *binding.Field, t *binding.Type, path string, line int) {
	bad, bare := false, false
	switch t.Kind {
	case binding.String:
		if field != nil && len(field.Enum) > 0 && !has(field.Enum, text) {
			c.report(Problem{Line: line, Column: c.column(line, text), Code: CodeArgument, Suggestion: binding.Nearest(text, field.Enum),
				Message: fmt.Sprintf("%s: argument %q: %q is none of %s", call, path, text, strings.Join(field.Enum, ", "))})
		}
	case binding.Duration:
		d, err := time.ParseDuration(text)
		bad = err != nil || d < 0
	case binding.Moment:
		_, err := time.Parse(time.RFC3339Nano, text)
		bad = err != nil
	case binding.Bool:
		bad, bare = true, text == "true" || text == "false"
	case binding.Integer, binding.Number:
		_, err := strconv.ParseFloat(text, 64)
		bad, bare = true, err == nil
	case binding.List:
		bad = t.Elem.Kind != binding.String
	case binding.Record, binding.Map:
		bad = true
	}
	switch {
	case bare:
		c.errorf(line, CodeArgument, "%s: argument %q must be %s, not the text %q; write %s without quotes", call, path, wanted(t), text, text)
	case bad:
		c.errorf(line, CodeArgument, "%s: argument %q must be %s, not %q", call, path, wanted(t), text)
	}
}

// valueArgument judges a value that only its type is known of.
func (c *checker) valueArgument(call string, e ast.Expr, t *binding.Type, path string, line int) {
	v := c.peek(e)
	if v.kind == unknown || v.kind == nothing || t.Kind == binding.Any || fits(v, t) {
		return
	}
	text := fmt.Sprintf("%s: argument %q must be %s, not %s", call, path, wanted(t), describe(v))
	p := Problem{Line: line, Code: CodeArgument, Message: text}
	if v.is(binding.Record) {
		for _, name := range []string{path, "name", "id"} {
			if f := v.typ.Field(name); f != nil && fits(ofType(f.Type), t) && exprText(e) != "" {
				p.Suggestion = exprText(e) + "." + name
				break
			}
		}
	}
	c.report(p)
}

// fits tells whether v may be given where t is declared.
func fits(v value, t *binding.Type) bool {
	switch t.Kind {
	case binding.String, binding.Duration, binding.Moment:
		return v.isText()
	case binding.Secret:
		return v.isText() || v.is(binding.Secret)
	case binding.Bool:
		return v.is(binding.Bool) || v.is(binding.String)
	case binding.Integer, binding.Number:
		return v.is(binding.Integer, binding.Number) || v.is(binding.String)
	case binding.List:
		if v.isText() {
			return t.Elem.Kind == binding.String
		}
		return v.is(binding.List) || v.kind == shaped
	case binding.Map, binding.Record:
		return v.is(binding.Map, binding.Record) || v.kind == shaped || v.kind == mapped || v.kind == given
	}
	return true
}

func wanted(t *binding.Type) string {
	switch t.Kind {
	case binding.Duration:
		return `a duration such as "30s", "5m" or "1h30m"`
	case binding.Moment:
		return `a time such as "2026-02-28T03:00:00Z"`
	case binding.Integer:
		return "a whole number"
	case binding.Map, binding.Record:
		return "a table with named fields"
	}
	return describeType(t)
}
