package check

import (
	"fmt"

	"github.com/yuin/gopher-lua/ast"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/words"
)

// attr is object.key or object[key].
func (c *checker) attr(e *ast.AttrGetExpr) value {
	object := c.expr(e.Object)
	key, literal := literalString(e.Key)
	if !literal {
		return c.indexed(e, object, c.expr(e.Key))
	}
	line := e.Key.Line()
	if line == 0 {
		line = e.Line()
	}
	return c.field(e.Object, object, key, line)
}

// indexed is object[key] with a key that is no literal text.
func (c *checker) indexed(e *ast.AttrGetExpr, object, key value) value {
	if object.kind == shaped {
		if object.shape.elem != nil && !key.isText() && !object.shape.isOpen() {
			return loosely(*object.shape.elem)
		}
		return value{}
	}
	switch {
	case object.is(binding.List):
		if key.isText() {
			c.errorf(e.Line(), CodeField, "%s is a list; its items have numbers, not names", describeAs(e.Object, object))
		}
		return loosely(ofType(object.typ.Elem))
	case object.is(binding.Map):
		return loosely(ofType(object.typ.Elem))
	case object.kind == mapped:
		return loosely(*object.elem)
	}
	return value{}
}

func loosely(v value) value {
	v.maybe = true
	return v
}

// field is the named field of object, which the expression e gives.
func (c *checker) field(e ast.Expr, object value, key string, line int) value {
	switch object.kind {
	case data:
		return c.dataField(e, object, key, line)
	case shaped:
		return c.shapeField(e, object.shape, key, line)
	case mapped:
		return loosely(*object.elem)
	case module:
		return c.moduleFunction(object.module, key, line)
	case std:
		return c.stdMember(object, key, line)
	case library:
		if names := words.Library()[object.name]; !has(names, key) {
			c.noLibrary(object.name, key, names, line)
			return value{}
		}
		return value{kind: word, name: object.name + "." + key}
	case object_:
		return c.member(e, object, key, line)
	case given:
		return c.inputField(key, line)
	case world:
		if len(c.o.World) > 0 && !has(c.o.World, key) {
			c.misspelt(line, CodeField, key, c.o.World, "a world has no method %q", key)
		}
		return value{kind: word, name: "world:" + key}
	case nothing:
		if !object.maybe {
			c.errorf(line, CodeField, "%s is nil here and has no field %q", describeAs(e, object), key)
		}
	case function, provider, word:
		c.errorf(line, CodeField, "%s is a function and has no field %q", describeAs(e, object), key)
	}
	return value{}
}

const object_ = object // the kind, where a parameter is called object

func (c *checker) dataField(e ast.Expr, object value, key string, line int) value {
	t := object.typ
	what := describeAs(e, object)
	switch t.Kind {
	case binding.Record:
		if f := t.Field(key); f != nil {
			v := ofType(f.Type)
			v.maybe = f.Optional
			return v
		}
		text := fmt.Sprintf("%s has no field %q", describe(object), key)
		if what != describe(object) {
			text = fmt.Sprintf("%s is %s, which has no field %q", what, describe(object), key)
		}
		c.misspelt(line, CodeField, key, fieldNames(t), "%s", text)
	case binding.Map:
		return loosely(ofType(t.Elem))
	case binding.List:
		c.errorf(line, CodeField, "%s is a list and has no field %q; take an item, as in list[1], or go through it with ipairs", what, key)
	case binding.String, binding.Duration, binding.Moment:
		if names := words.Library()["string"]; !has(names, key) {
			c.errorf(line, CodeField, "%s is a string and has no field %q", what, key)
		}
	case binding.Bool, binding.Integer, binding.Number, binding.Secret:
		c.errorf(line, CodeField, "%s is %s and has no field %q", what, describe(object), key)
	}
	return value{}
}

func fieldNames(t *binding.Type) []string {
	var out []string
	for _, f := range t.Fields {
		out = append(out, f.Name)
	}
	return out
}

// shapeField is judged at the end, when it is known whether anything else in
// the file could have added the field.
func (c *checker) shapeField(e ast.Expr, s *shape, key string, line int) value {
	if v, ok := s.fields[key]; ok {
		if s.isOpen() && v.kind != function {
			return value{} // anything may have happened to it
		}
		return v
	}
	if c.last {
		what, list := exprText(e), s.elem != nil && len(s.order) == 0
		if what == "" {
			what = "this table"
		}
		c.later = append(c.later, func() {
			switch {
			case s.isOpen() || s.holds(key, map[*shape]bool{}):
			case list:
				c.errorf(line, CodeField, "%s is a list and has no field %q; take an item, as in list[1], or go through it with ipairs", what, key)
			default:
				c.misspelt(line, CodeField, key, s.order, "%s has no field %q", what, key)
			}
		})
	}
	return value{}
}

func (c *checker) moduleFunction(m *binding.Module, key string, line int) value {
	if f := m.Function(key); f != nil {
		return value{kind: provider, spec: f.Spec()}
	}
	var names []string
	for _, f := range m.Functions {
		names = append(names, f.Spec().Name)
	}
	c.misspelt(line, CodeFunction, key, names, "there is no function %s.%s", m.Name, key)
	return value{}
}

func (c *checker) stdMember(m value, key string, line int) value {
	if m.names != nil && !has(m.names, key) {
		c.misspelt(line, CodeFunction, key, m.names, "there is no function %s.%s", m.name, key)
	}
	if m.shape != nil {
		return m.shape.fields[key]
	}
	return value{}
}

func (c *checker) noLibrary(name, key string, names []string, line int) {
	full := name + "." + key
	if why, ok := words.WhyAbsent(full); ok {
		c.errorf(line, CodeFunction, "there is no %s: %s", full, why)
		return
	}
	c.misspelt(line, CodeFunction, key, names, "there is no %s", full)
}

// member is a field of the run object, of a drill's outcome or of a fault.
func (c *checker) member(e ast.Expr, object value, key string, line int) value {
	for _, m := range object.members {
		if m.Name != key {
			continue
		}
		switch {
		case m.Method:
			return value{kind: word, name: object.name + "." + key}
		case m.Type == "string":
			return ofKind(binding.String)
		case m.Type == "number":
			return numberValue()
		case m.Type == "boolean":
			return ofKind(binding.Bool)
		}
		return value{}
	}
	c.misspelt(line, CodeField, key, words.MemberNames(object.members), "%s has no field %q", object.name, key)
	return value{}
}

// inputField is input.key; it is judged when the head has been read.
func (c *checker) inputField(key string, line int) value {
	if c.last {
		c.later = append(c.later, func() {
			if c.inputs == nil || c.inputs[key] {
				return
			}
			var names []string
			for name := range c.inputs {
				names = append(names, name)
			}
			c.misspelt(line, CodeInput, key, sortedStrings(names), "the head declares no input %q", key)
		})
	}
	return value{}
}

// items is what ipairs or pairs gives for list.
func (c *checker) items(list value, by string) []value {
	first := numberValue()
	switch {
	case list.is(binding.List):
		return []value{first, ofType(list.typ.Elem)}
	case list.is(binding.Map):
		return []value{ofKind(binding.String), ofType(list.typ.Elem)}
	case list.kind == mapped && by == "pairs":
		return []value{ofKind(binding.String), *list.elem}
	case list.is(binding.Record):
		return []value{ofKind(binding.String), {}}
	case list.kind == shaped && list.shape.elem != nil && len(list.shape.order) == 0 && !list.shape.isOpen():
		return []value{first, *list.shape.elem}
	}
	if by == "ipairs" {
		return []value{first, {}}
	}
	return nil
}
