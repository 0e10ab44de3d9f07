package binding

import (
	"fmt"
	"strings"
)

// Fit takes plain data that a person gives for a result of type t and returns
// it the way a call would have: with the types' names. The error says what is
// wrong with it and where.
func (t *Type) Fit(plain any) (any, error) {
	return t.fit(plain, "the result")
}

func (t *Type) fit(plain any, at string) (any, error) {
	wrong := func() (any, error) { return nil, fmt.Errorf("%s has to be like %s", at, t.Shape()) }
	switch t.Kind {
	case Any:
		return plain, nil
	case Nothing:
		if plain != nil {
			return nil, fmt.Errorf("%s is nothing: leave it empty", at)
		}
		return nil, nil
	case Bool:
		if _, ok := plain.(bool); !ok {
			return wrong()
		}
		return plain, nil
	case Integer, Number:
		if n, ok := plain.(float64); !ok || t.Kind == Integer && n != float64(int64(n)) {
			return wrong()
		}
		return plain, nil
	case List:
		list, ok := plain.([]any)
		if !ok {
			return wrong()
		}
		return t.fitList(list, at)
	case Map, Record:
		m, ok := plain.(map[string]any)
		if !ok {
			return wrong()
		}
		if t.Kind == Map {
			return t.fitMap(m, at)
		}
		return t.fitRecord(m, at)
	}
	if _, ok := plain.(string); !ok {
		return wrong()
	}
	return plain, nil
}

func (t *Type) fitList(list []any, at string) (any, error) {
	out := make([]any, len(list))
	for i, v := range list {
		var err error
		if out[i], err = t.Elem.fit(v, fmt.Sprintf("%s[%d]", at, i+1)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (t *Type) fitMap(m map[string]any, at string) (any, error) {
	out := map[string]any{}
	for key, v := range m {
		var err error
		if out[key], err = t.Elem.fit(v, at+"."+key); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (t *Type) fitRecord(m map[string]any, at string) (any, error) {
	if name, there := unknown(m, t); there {
		return nil, fmt.Errorf("%s has no field %q; it is like %s", at, name, t.Shape())
	}
	out := map[string]any{}
	if t.Name != "" {
		out[typeKey] = t.Name
	}
	for _, f := range t.Fields {
		v, there := m[f.Name]
		if !there && f.Optional {
			continue
		}
		if !there {
			return nil, fmt.Errorf("%s lacks %q; it is like %s", at, f.Name, t.Shape())
		}
		var err error
		if out[f.Name], err = f.Type.fit(v, at+"."+f.Name); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Shape is how a person writes a value of the type, as JSON with the kinds in
// place of the values; what may be left out is in brackets.
func (t *Type) Shape() string {
	switch t.Kind {
	case List:
		return "[" + t.Elem.Shape() + ", ...]"
	case Map:
		return `{"...": ` + t.Elem.Shape() + "}"
	case Record:
		var fields []string
		for _, f := range t.Fields {
			text := fmt.Sprintf("%q: %s", f.Name, f.Type.Shape())
			if f.Optional {
				text = "[" + text + "]"
			}
			fields = append(fields, text)
		}
		return "{" + strings.Join(fields, ", ") + "}"
	case String:
		return `"text"`
	case Duration:
		return `"5m"`
	case Moment:
		return `"2026-02-28T03:05:00Z"`
	}
	return string(t.Kind)
}
