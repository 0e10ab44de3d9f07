package sandbox

import (
	"errors"
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
)

// stopValue carries an error through a script that no pcall may catch.
type stopValue struct{ err error }

// Uncatchable implements what pcall looks for.
func (s stopValue) Uncatchable() error { return s.err }

// raiseText raises a script error at the line that called the running function.
func raiseText(L *lua.LState, text string) {
	file, line := where(L, 1)
	L.Error(lua.LString(fmt.Sprintf("%s:%d: %s", file, line, clip(text, maxMessage))), 0)
}

// raise turns err into what the script sees: a fault is a table, a stop
// cannot be caught.
func (vs *values) raise(L *lua.LState, err error, site journal.Site) {
	var stop *gate.Stop
	if errors.As(err, &stop) {
		ud := L.NewUserData()
		ud.Value = stopValue{err}
		L.Error(ud, 0)
	}
	L.Error(vs.faultTable(L, fault.As(err), site), 0)
}

func (vs *values) faultTable(L *lua.LState, f *fault.Fault, site journal.Site) *lua.LTable {
	t := L.NewTable()
	set := func(key, text string) {
		if text != "" {
			t.RawSetString(key, lua.LString(text))
		}
	}
	message := f.Message
	if f.Op != "" {
		message = f.Op + ": " + message
	}
	set("kind", string(f.Kind))
	set("message", message)
	set("hint", f.Hint)
	set("call", f.Call)
	set("provider", strings.Split(f.Call, ".")[0])
	set("file", site.File)
	t.RawSetString("line", lua.LNumber(site.Line))
	t.RawSetString("transient", lua.LBool(f.Transient))
	if vs.faults == nil {
		vs.faults = faultMeta(L)
	}
	t.Metatable = vs.faults
	return t
}

func faultMeta(L *lua.LState) *lua.LTable {
	m := strictMeta(L, "a fault", []string{"kind", "message", "hint", "call", "provider", "file", "line", "transient"})
	m.RawSetString("__tostring", L.NewFunction(func(L *lua.LState) int {
		t, ok := L.Get(1).(*lua.LTable)
		if !ok {
			return 0
		}
		L.Push(lua.LString(faultText(t)))
		return 1
	}))
	return m
}

func faultText(t *lua.LTable) string {
	get := func(key string) string {
		if s, ok := t.RawGetString(key).(lua.LString); ok {
			return string(s)
		}
		return ""
	}
	var b strings.Builder
	message := get("message")
	if file := get("file"); file != "" && !strings.HasPrefix(message, file+":") {
		fmt.Fprintf(&b, "%s:%s: ", file, named(t.RawGetString("line")))
	}
	if call := get("call"); call != "" {
		b.WriteString(call + ": ")
	}
	b.WriteString(message)
	if hint := get("hint"); hint != "" {
		b.WriteString(" (" + hint + ")")
	}
	return b.String()
}

// toError turns what a script raised back into an error.
func (vs *values) toError(err error) error {
	var script *ScriptError
	if !errors.As(err, &script) {
		return err
	}
	var limit *LimitError
	if errors.As(script.Err, &limit) {
		return fault.New(fault.Script, "%s: %s", script.Where, limit.Message)
	}
	if script.Err != nil {
		return script.Err
	}
	t, ok := script.Value.(*lua.LTable)
	if !ok || vs.faults == nil || t.Metatable != vs.faults {
		text := "the script raised a " + script.Value.Type().String()
		if s, ok := script.Value.(lua.LString); ok {
			text = string(s)
		} else if ok {
			text = faultText(t)
		}
		if at := strings.LastIndexByte(script.Where, ':'); at > 0 && !strings.HasPrefix(text, script.Where[:at+1]) {
			text = script.Where + ": " + text
		}
		return fault.New(fault.Script, "%s", clip(text, maxMessage))
	}
	get := func(key string) string {
		s, _ := t.RawGetString(key).(lua.LString)
		return clip(string(s), maxMessage)
	}
	f := &fault.Fault{Kind: fault.Kind(get("kind")), Message: get("message"), Hint: get("hint"), Call: get("call"), Provider: get("provider")}
	f.Transient = lua.LVAsBool(t.RawGetString("transient"))
	if file := get("file"); file != "" && !strings.HasPrefix(f.Message, file+":") {
		place := script.Where // when the script has put something else into line
		if n, ok := t.RawGetString("line").(lua.LNumber); ok {
			place = file + ":" + n.String()
		}
		f.Message = place + ": " + f.Message
	}
	return f
}
