package binding

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// typeKey names the record type inside plain data, so that a table that went
// through the journal still knows which fields it has.
const typeKey = "$type"

// Encode turns a result into plain data: nil, bool, float64, string, []any and
// map[string]any. Records carry their type's name under "$type". Durations
// become "1m30s", times RFC 3339 in UTC. A nil pointer and an empty optional
// string, time or list element of a record become nil, absent in Lua.
func Encode(v any) any {
	if v == nil {
		return nil
	}
	rv := reflect.ValueOf(v)
	return encode(rv, typeOf(rv.Type()))
}

// encode encodes v, whose declared type is t.
func encode(v reflect.Value, t *Type) any {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return encode(v.Elem(), t)
	case reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return encode(v.Elem(), typeOf(v.Elem().Type()))
	}
	switch t.Kind {
	case Nothing:
		return nil
	case Duration:
		return time.Duration(v.Int()).String()
	case Moment:
		at := v.Interface().(time.Time)
		if at.IsZero() {
			return nil
		}
		return at.UTC().Format(time.RFC3339Nano)
	case Secret:
		return nil // a result never carries a secret
	case Bool:
		return v.Bool()
	case String:
		return strings.ToValidUTF8(v.String(), "\uFFFD")
	case Number:
		return v.Float()
	case Integer:
		if v.CanUint() {
			return float64(v.Uint())
		}
		if v.Int() == PlannedInteger {
			return PlannedValue(Integer, "number")
		}
		return float64(v.Int())
	case List:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = encode(v.Index(i), t.Elem)
		}
		return out
	case Map:
		out := make(map[string]any, v.Len())
		for _, k := range v.MapKeys() {
			out[k.String()] = encode(v.MapIndex(k), t.Elem)
		}
		return out
	case Record:
		return encodeRecord(v, t)
	}
	panic(fmt.Sprintf("binding: cannot encode %s", v.Type()))
}

func encodeRecord(v reflect.Value, t *Type) any {
	out := make(map[string]any, len(t.Fields)+1)
	if t.Name != "" {
		out[typeKey] = t.Name
	}
	for _, f := range t.Fields {
		fv := v.Field(f.index)
		if f.Optional && fv.IsZero() {
			continue
		}
		if x := encode(fv, f.Type); x != nil {
			out[f.Name] = x
		}
	}
	return out
}
