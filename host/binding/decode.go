package binding

import (
	"fmt"
	"math"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/secret"
)

// ArgumentError says what is wrong with one argument.
type ArgumentError struct {
	Path   string // "volumes[2].name"; empty for the table as a whole
	Reason string
	Near   string // what was probably meant; may be empty
}

func (e *ArgumentError) Error() string {
	text := e.Reason
	if e.Path != "" {
		text = fmt.Sprintf("argument %q: %s", e.Path, e.Reason)
	}
	if e.Near != "" {
		text += fmt.Sprintf("; did you mean %q?", e.Near)
	}
	return text
}

// secretKey marks a secret in plain data: {"$secret": "name"}.
const secretKey = "$secret"

// SecretRef is the plain-data form of a secret called name.
func SecretRef(name string) map[string]any { return map[string]any{secretKey: name} }

// decoder carries what is the same for the whole of one table.
type decoder struct{ resolve Resolver }

func decodeInto(into any, t *Type, plain any, resolve Resolver) error {
	if m, ok := plain.(map[string]any); (ok && m == nil) || plain == nil {
		plain = map[string]any{}
	}
	d := decoder{resolve}
	return d.value(reflect.ValueOf(into).Elem(), t, nil, plain, "")
}

func (d decoder) value(v reflect.Value, t *Type, f *Field, plain any, path string) error {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if s, ok := plain.(string); ok && IsPlanned(s) && t.Kind != String && t.Kind != Any {
		return nil // only a plan produces these; the zero value stands in
	}
	if what, _, planned := PlannedKind(plain); planned {
		if t.Kind == String {
			v.SetString(Planned(what))
		}
		return nil
	}
	switch t.Kind {
	case Record:
		return d.record(v, t, plain, path)
	case List:
		return d.list(v, t, plain, path)
	case Map:
		return d.mapping(v, t, plain, path)
	case Any:
		if at, found := secretIn(plain, path); found {
			return &ArgumentError{Path: at, Reason: "is a secret, and this argument takes none: only its name would be used"}
		}
		if plain != nil {
			v.Set(reflect.ValueOf(plain))
		}
		return nil
	}
	return d.scalar(v, t, f, plain, path)
}

// secretIn finds a reference to a secret in data of any shape.
func secretIn(plain any, path string) (at string, found bool) {
	switch p := plain.(type) {
	case map[string]any:
		if _, ok := p[secretKey]; ok {
			return path, true
		}
		for _, key := range sortedKeys(p) {
			if at, found := secretIn(p[key], join(path, key)); found {
				return at, true
			}
		}
	case []any:
		for i, item := range p {
			if at, found := secretIn(item, fmt.Sprintf("%s[%d]", path, i+1)); found {
				return at, true
			}
		}
	}
	return "", false
}

func (d decoder) record(v reflect.Value, t *Type, plain any, path string) error {
	if list, ok := plain.([]any); ok && len(list) == 0 {
		plain = map[string]any{}
	}
	m, ok := plain.(map[string]any)
	if !ok {
		return wrong(path, "a table with named fields", plain)
	}
	if key, found := unknown(m, t); found {
		return &ArgumentError{Path: join(path, key), Reason: "there is no such field", Near: Nearest(key, names(t.Fields))}
	}
	for _, f := range t.Fields {
		given, present := m[f.Name]
		if !present || given == nil {
			if f.Default != "" {
				given = f.Default
			} else if f.Optional {
				continue
			} else {
				return &ArgumentError{Path: join(path, f.Name), Reason: "is required: " + strings.TrimSuffix(f.Doc, ".")}
			}
		}
		if err := d.value(v.Field(f.index), f.Type, f, given, join(path, f.Name)); err != nil {
			return err
		}
	}
	return nil
}

// unknown is the first key of m, by the alphabet, that t does not have.
func unknown(m map[string]any, t *Type) (first string, found bool) {
	for key := range m {
		if (!found || key < first) && key != typeKey && t.Field(key) == nil {
			first, found = key, true
		}
	}
	return first, found
}

func (d decoder) list(v reflect.Value, t *Type, plain any, path string) error {
	if m, ok := plain.(map[string]any); ok && len(m) == 0 {
		plain = []any{}
	}
	if s, ok := plain.(string); ok && path != "" && t.Elem.Kind == String {
		plain = splitDefault(s) // a default such as "fsn1,nbg1", or one value for a list
	}
	list, ok := plain.([]any)
	if !ok {
		return wrong(path, "a list", plain)
	}
	out := reflect.MakeSlice(v.Type(), len(list), len(list))
	for i, item := range list {
		if err := d.value(out.Index(i), t.Elem, nil, item, fmt.Sprintf("%s[%d]", path, i+1)); err != nil {
			return err
		}
	}
	v.Set(out)
	return nil
}

func splitDefault(s string) []any {
	var out []any
	for _, part := range strings.Split(s, ",") {
		out = append(out, strings.TrimSpace(part))
	}
	return out
}

func (d decoder) mapping(v reflect.Value, t *Type, plain any, path string) error {
	if list, ok := plain.([]any); ok && len(list) == 0 {
		plain = map[string]any{}
	}
	m, ok := plain.(map[string]any)
	if !ok {
		return wrong(path, "a table with named fields", plain)
	}
	out := reflect.MakeMapWithSize(v.Type(), len(m))
	for _, key := range sortedKeys(m) {
		item := reflect.New(v.Type().Elem()).Elem()
		if err := d.value(item, t.Elem, nil, m[key], join(path, key)); err != nil {
			return err
		}
		out.SetMapIndex(reflect.ValueOf(key), item)
	}
	v.Set(out)
	return nil
}

func (d decoder) scalar(v reflect.Value, t *Type, f *Field, plain any, path string) error {
	switch t.Kind {
	case String:
		s, ok := plain.(string)
		if !ok {
			return wrong(path, "a string", plain)
		}
		if f != nil && len(f.Enum) > 0 && !contains(f.Enum, s) && !IsPlanned(s) {
			return &ArgumentError{Path: path, Reason: fmt.Sprintf("%q is none of %s", s, strings.Join(f.Enum, ", ")), Near: Nearest(s, f.Enum)}
		}
		v.SetString(s)
	case Bool:
		if s, ok := plain.(string); ok && (s == "true" || s == "false") {
			plain = s == "true"
		}
		b, ok := plain.(bool)
		if !ok {
			return wrong(path, "true or false", plain)
		}
		v.SetBool(b)
	case Integer, Number:
		return number(v, t, plain, path)
	case Duration:
		return duration(v, plain, path)
	case Moment:
		s, _ := plain.(string)
		at, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			return wrong(path, `a time such as "2026-02-28T03:00:00Z"`, plain)
		}
		v.Set(reflect.ValueOf(at))
	case Secret:
		return d.secret(v, plain, path)
	}
	return nil
}

func number(v reflect.Value, t *Type, plain any, path string) error {
	var n float64
	switch p := plain.(type) {
	case float64:
		n = p
	case int64:
		n = float64(p)
	case int:
		n = float64(p)
	case string: // a default, or an --input
		parsed, err := strconv.ParseFloat(p, 64)
		if err != nil {
			return wrong(path, "a number", plain)
		}
		n = parsed
	default:
		return wrong(path, "a number", plain)
	}
	if math.IsNaN(n) || math.IsInf(n, 0) { // written as text: "nan"
		return wrong(path, "a number", plain)
	}
	if t.Kind == Number {
		v.SetFloat(n)
		return nil
	}
	if n != math.Trunc(n) || math.Abs(n) > 1<<53 {
		return wrong(path, "a whole number", plain)
	}
	if v.CanUint() {
		if n < 0 {
			return wrong(path, "a whole number that is not negative", plain)
		}
		if v.OverflowUint(uint64(n)) {
			return wrong(path, fmt.Sprintf("a whole number of at most %d bits", v.Type().Bits()), plain)
		}
		v.SetUint(uint64(n))
		return nil
	}
	if v.OverflowInt(int64(n)) {
		return wrong(path, fmt.Sprintf("a whole number of at most %d bits", v.Type().Bits()), plain)
	}
	v.SetInt(int64(n))
	return nil
}

func duration(v reflect.Value, plain any, path string) error {
	s, ok := plain.(string)
	if !ok {
		return wrong(path, `a duration such as "30s", "5m" or "1h30m"`, plain)
	}
	dur, err := time.ParseDuration(s)
	if err != nil || dur < 0 {
		return wrong(path, `a duration such as "30s", "5m" or "1h30m"`, plain)
	}
	v.SetInt(int64(dur))
	return nil
}

func (d decoder) secret(v reflect.Value, plain any, path string) error {
	name, ok := plain.(string)
	if m, isMap := plain.(map[string]any); isMap {
		name, ok = m[secretKey].(string)
	}
	if !ok {
		return wrong(path, "a secret", plain)
	}
	if d.resolve == nil {
		v.Set(reflect.ValueOf(secret.New("")))
		return nil
	}
	value, err := d.resolve(name)
	if err != nil {
		return err
	}
	v.Set(reflect.ValueOf(value))
	return nil
}

func wrong(path, want string, got any) error {
	return &ArgumentError{Path: path, Reason: fmt.Sprintf("must be %s, not %s", want, describe(got))}
}

func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "nil"
	case string:
		return fmt.Sprintf("%.40q", v)
	case bool:
		return fmt.Sprint(v)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case int64:
		return strconv.FormatInt(v, 10)
	case []any:
		return "a list"
	case map[string]any:
		if _, ok := v[secretKey]; ok {
			return "a secret"
		}
		return "a table"
	}
	return fmt.Sprintf("%T", v)
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func names(fields []*Field) []string {
	var out []string
	for _, f := range fields {
		out = append(out, f.Name)
	}
	return out
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
