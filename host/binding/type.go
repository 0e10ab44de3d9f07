package binding

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/webhost-systems/drhost/host/secret"
)

// Kind of a Type.
type Kind string

const (
	String   Kind = "string"
	Bool     Kind = "boolean"
	Integer  Kind = "integer"
	Number   Kind = "number"
	Duration Kind = "duration" // in Lua a string: "5m", "1h30m"
	Moment   Kind = "time"     // in Lua a string, RFC 3339
	Secret   Kind = "secret"
	List     Kind = "list"
	Map      Kind = "map" // string keys
	Record   Kind = "record"
	Any      Kind = "any"
	Nothing  Kind = "nil"
)

// Type describes an argument, a result or a setting.
type Type struct {
	Kind   Kind
	Name   string // of a record: "hetzner.Server"; empty for argument structs
	Elem   *Type  // of a list or map
	Fields []*Field
}

// Field is one named part of a record. It comes from the struct tags
//
//	`lua:"name" doc:"..." enum:"a,b" default:"x"`
//
// A field is optional when it has a default, is a pointer, or says
// `lua:"name,optional"`.
type Field struct {
	Name     string
	Doc      string
	Type     *Type
	Optional bool
	Default  string
	Enum     []string
	index    int
}

// Field returns the field called name, or nil.
func (t *Type) Field(name string) *Field {
	for _, f := range t.Fields {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// String is how the type reads in documentation: "list of hetzner.Server".
func (t *Type) String() string {
	switch t.Kind {
	case List:
		return "list of " + t.Elem.String()
	case Map:
		return "map of " + t.Elem.String()
	case Record:
		if t.Name != "" {
			return t.Name
		}
		return "table"
	}
	return string(t.Kind)
}

var (
	types        = map[reflect.Type]*Type{} // a cache; a type never changes
	typesLock    sync.RWMutex
	durationType = reflect.TypeFor[time.Duration]()
	timeType     = reflect.TypeFor[time.Time]()
	secretType   = reflect.TypeFor[secret.Value]()
	noneType     = reflect.TypeFor[None]()
)

func typeFor[T any]() *Type { return typeOf(reflect.TypeFor[T]()) }

func typeOf(rt reflect.Type) *Type {
	typesLock.RLock()
	t, ok := types[rt]
	typesLock.RUnlock()
	if ok {
		return t
	}
	typesLock.Lock()
	defer typesLock.Unlock()
	return makeType(rt)
}

// makeType finds or makes the type of rt; the caller holds the lock.
func makeType(rt reflect.Type) *Type {
	if rt.Kind() == reflect.Pointer {
		return makeType(rt.Elem())
	}
	if t, ok := types[rt]; ok {
		return t
	}
	t := &Type{}
	types[rt] = t // first, so that a type may contain itself
	switch {
	case rt == noneType:
		t.Kind = Nothing
	case rt == durationType:
		t.Kind = Duration
	case rt == timeType:
		t.Kind = Moment
	case rt == secretType:
		t.Kind = Secret
	default:
		fillType(t, rt)
	}
	return t
}

func fillType(t *Type, rt reflect.Type) {
	switch rt.Kind() {
	case reflect.String:
		t.Kind = String
	case reflect.Bool:
		t.Kind = Bool
	case reflect.Int, reflect.Int64, reflect.Int32, reflect.Uint64, reflect.Uint32:
		t.Kind = Integer
	case reflect.Float64:
		t.Kind = Number
	case reflect.Interface:
		t.Kind = Any
	case reflect.Slice:
		t.Kind, t.Elem = List, makeType(rt.Elem())
	case reflect.Map:
		t.Kind, t.Elem = Map, makeType(rt.Elem())
	case reflect.Struct:
		t.Kind = Record
		if rt.Name() != "" && unicode.IsUpper(rune(rt.Name()[0])) {
			t.Name = packageOf(rt) + "." + rt.Name()
		}
		for i := range rt.NumField() {
			if f := fieldOf(rt, i); f != nil {
				t.Fields = append(t.Fields, f)
			}
		}
	default:
		panic(fmt.Sprintf("binding: %s cannot cross into a runbook", rt))
	}
}

func packageOf(rt reflect.Type) string {
	path := rt.PkgPath()
	return path[strings.LastIndexByte(path, '/')+1:]
}

func fieldOf(rt reflect.Type, i int) *Field {
	sf := rt.Field(i)
	name, flags, _ := strings.Cut(sf.Tag.Get("lua"), ",")
	if name == "" || name == "-" {
		return nil
	}
	def, hasDefault := sf.Tag.Lookup("default")
	f := &Field{Name: name, Doc: sf.Tag.Get("doc"), Type: makeType(sf.Type), Default: def, index: i,
		Optional: hasDefault || flags == "optional" || sf.Type.Kind() == reflect.Pointer}
	if enum := sf.Tag.Get("enum"); enum != "" {
		f.Enum = strings.Split(enum, ",")
	}
	return f
}
