package sandbox

import (
	"strings"

	lua "github.com/yuin/gopher-lua"

	"github.com/webhost-systems/drhost/host/binding"
)

func stringFind(L *lua.LState) int  { return search(L, "find", true) }
func stringMatch(L *lua.LState) int { return search(L, "match", false) }

// search is string.find and string.match.
func search(L *lua.LState, name string, find bool) int {
	s, p := stringArgument(L, 1, name), stringArgument(L, 2, name)
	if foresee := foreseeing(L); foresee != nil && binding.IsPlanned(s) {
		return foreseeMatch(L, foresee, s, p, find)
	}
	init := min(max(relative(optionalInt(L, 3, name, 1), len(s))-1, 0), len(s))
	if find && (lua.LVAsBool(L.Get(4)) || !strings.ContainsAny(p, specialCharacter)) {
		spend(L, len(s)/64)
		i := strings.Index(s[init:], p)
		if i < 0 {
			L.Push(lua.LNil)
			return 1
		}
		L.Push(lua.LNumber(init + i + 1))
		L.Push(lua.LNumber(init + i + len(p)))
		return 2
	}
	m := newMatcher(L, s, p)
	anchor := strings.HasPrefix(p, "^")
	at := 0
	if anchor {
		at = 1
	}
	for i := init; i <= len(s); i++ {
		if end := m.from(i, at); end >= 0 {
			if !find {
				return m.pushCaptures(i, end, true)
			}
			L.Push(lua.LNumber(i + 1))
			L.Push(lua.LNumber(end))
			return 2 + m.pushCaptures(i, end, false)
		}
		if anchor {
			break
		}
	}
	L.Push(lua.LNil)
	return 1
}

func stringGmatch(L *lua.LState) int {
	s, p := stringArgument(L, 1, "gmatch"), stringArgument(L, 2, "gmatch")
	next := 0
	L.Push(L.NewFunction(func(L *lua.LState) int {
		m := newMatcher(L, s, p)
		for i := next; i <= len(s); i++ {
			end := m.from(i, 0)
			if end < 0 {
				continue
			}
			next = end
			if end == i {
				next++
			}
			return m.pushCaptures(i, end, true)
		}
		next = len(s) + 1
		L.Push(lua.LNil)
		return 1
	}))
	return 1
}

func stringGsub(L *lua.LState) int {
	s, p := stringArgument(L, 1, "gsub"), stringArgument(L, 2, "gsub")
	replacement := L.Get(3)
	switch replacement.(type) {
	case lua.LNumber, lua.LString, *lua.LTable, *lua.LFunction:
	default:
		argument(L, 3, "gsub", "string/function/table expected")
	}
	most := optionalInt(L, 4, "gsub", len(s)+1)
	m := newMatcher(L, s, p)
	at := 0
	anchor := strings.HasPrefix(p, "^")
	if anchor {
		at = 1
	}
	var b strings.Builder
	count, i := 0, 0
	for count < most {
		end := m.from(i, at)
		if end >= 0 {
			count++
			b.WriteString(m.replaced(replacement, i, end))
			checkString(L, b.Len())
		}
		switch {
		case end > i:
			i = end
		case i < len(s):
			b.WriteByte(s[i])
			i++
		default:
			i++
		}
		if i > len(s) || anchor {
			break
		}
	}
	b.WriteString(s[min(i, len(s)):])
	checkString(L, b.Len())
	L.Push(lua.LString(b.String()))
	L.Push(lua.LNumber(count))
	return 2
}

// replaced is what a match from start to end turns into.
func (m *matcher) replaced(by lua.LValue, start, end int) string {
	var v lua.LValue
	switch by := by.(type) {
	case *lua.LTable:
		v = m.L.GetTable(by, m.value(0, start, end))
	case *lua.LFunction:
		m.L.Push(by)
		n := m.pushCaptures(start, end, true)
		m.L.Call(n, 1)
		v = m.L.Get(-1)
		m.L.Pop(1)
	default:
		text, _ := textOf(by)
		return m.filled(text, start, end)
	}
	if !lua.LVAsBool(v) {
		return m.subject[start:end]
	}
	text, ok := textOf(v)
	if !ok {
		fail(m.L, "invalid replacement value (a %s)", v.Type())
	}
	return text
}

// filled is a replacement text with its %0 to %9 filled in.
func (m *matcher) filled(text string, start, end int) string {
	if strings.IndexByte(text, escape) < 0 {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c != escape {
			b.WriteByte(c)
			continue
		}
		i++
		switch {
		case i >= len(text):
			b.WriteByte(0)
		case text[i] == '0':
			b.WriteString(m.subject[start:end])
		case isDigit(text[i]):
			v, _ := textOf(m.value(int(text[i]-'1'), start, end))
			b.WriteString(v)
		default:
			b.WriteByte(text[i])
		}
		checkString(m.L, b.Len())
	}
	return b.String()
}
