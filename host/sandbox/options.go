package sandbox

import (
	"fmt"
	"time"

	lua "github.com/yuin/gopher-lua"

	"github.com/webhost-systems/drhost/host/binding"
)

// functionAndOptions reads `[options], fn` from argument n on.
func (s *Script) functionAndOptions(L *lua.LState, n int, word string, known ...string) (*lua.LFunction, options) {
	o := options{word: word, L: L}
	if L.Get(n).Type() == lua.LTTable {
		o = s.options(L, n, word, known...)
		n++
	}
	fn, ok := L.Get(n).(*lua.LFunction)
	if !ok {
		raiseText(L, fmt.Sprintf("%s takes a function as argument %d, not %s", word, n, L.Get(n).Type()))
	}
	return fn, o
}

func (s *Script) options(L *lua.LState, n int, word string, known ...string) options {
	o := options{word: word, L: L}
	if L.GetTop() < n || L.Get(n) == lua.LNil {
		return o
	}
	o.table = L.CheckTable(n)
	for k, _ := o.table.Next(lua.LNil); k != lua.LNil; k, _ = o.table.Next(k) {
		found := false
		for _, name := range known {
			found = found || k == lua.LString(name)
		}
		if !found {
			near := binding.Nearest(named(k), known)
			if near != "" {
				near = fmt.Sprintf("; did you mean %q?", near)
			}
			raiseText(L, fmt.Sprintf("%s has no option %q%s", word, named(k), near))
		}
	}
	return o
}

// options are a word's optional table.
type options struct {
	word  string
	L     *lua.LState
	table *lua.LTable
}

func (o options) get(name string, want lua.LValueType) (lua.LValue, bool) {
	if o.table == nil {
		return nil, false
	}
	v := o.table.RawGetString(name)
	if v == lua.LNil {
		return nil, false
	}
	if v.Type() != want {
		raiseText(o.L, fmt.Sprintf("%s: option %s must be a %s, not %s", o.word, name, want, v.Type()))
	}
	return v, true
}

func (o options) text(name string) string {
	if v, ok := o.get(name, lua.LTString); ok {
		return v.String()
	}
	return ""
}

func (o options) flag(name string) bool {
	v, ok := o.get(name, lua.LTBool)
	return ok && v == lua.LTrue
}

func (o options) count(name string, otherwise, most int) int {
	v, ok := o.get(name, lua.LTNumber)
	if !ok {
		return otherwise
	}
	n := int(v.(lua.LNumber))
	if lua.LNumber(n) != v || n < 1 || n > most {
		raiseText(o.L, fmt.Sprintf("%s: option %s must be a whole number from 1 to %d", o.word, name, most))
	}
	return n
}

func (o options) duration(name string, otherwise time.Duration) time.Duration {
	if _, given := o.get(name, lua.LTString); !given {
		return otherwise
	}
	text := o.text(name)
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		raiseText(o.L, fmt.Sprintf(`%s: option %s must be a time such as "30s" or "5m", not %q`, o.word, name, clip(text, 80)))
	}
	return d
}

func (o options) list(name string) []string {
	v, ok := o.get(name, lua.LTTable)
	if !ok {
		return nil
	}
	var out []string
	t := v.(*lua.LTable)
	for i := 1; i <= t.Len(); i++ {
		s, ok := t.RawGetInt(i).(lua.LString)
		if !ok || i > maxChoices {
			raiseText(o.L, fmt.Sprintf("%s: option %s must be a list of at most %d texts", o.word, name, maxChoices))
		}
		out = append(out, clip(string(s), maxTitle))
	}
	return out
}
