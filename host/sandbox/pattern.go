package sandbox

import (
	"strings"

	lua "github.com/yuin/gopher-lua"

	"github.com/webhost-systems/drhost/host/words"
)

const (
	maxPattern       = words.MaxPattern
	maxCaptures      = 32
	maxPatternDepth  = 200
	maxPatternSteps  = words.MaxPatternSteps
	patternSpend     = 4096 // steps charged at a time
	captureOpen      = -1
	capturePosition  = -2
	escape           = '%'
	specialCharacter = "^$*+?.([%-"
)

// matcher matches a Lua pattern against a subject. Its steps are counted and
// charged to the script, its recursion is bounded by the pattern's length.
type matcher struct {
	L        *lua.LState
	subject  string
	pattern  string
	captures []capture
	depth    int
	steps    int
	unpaid   int // of the steps
}

// capture is a part of the subject; length may be captureOpen or capturePosition.
type capture struct{ start, length int }

func newMatcher(L *lua.LState, subject, pattern string) *matcher {
	if len(pattern) > maxPattern {
		fail(L, "the pattern is longer than %d bytes", maxPattern)
	}
	return &matcher{L: L, subject: subject, pattern: pattern, captures: make([]capture, 0, 4)}
}

func (m *matcher) step(n int) {
	m.steps += n
	if m.unpaid += n; m.unpaid >= patternSpend {
		spend(m.L, m.unpaid/4)
		m.unpaid = 0
		if m.steps > maxPatternSteps {
			fail(m.L, "the pattern is too costly for this string")
		}
	}
}

// from matches the whole pattern, from its position p on, at subject position
// s. It returns the end of the match, or -1.
func (m *matcher) from(s, p int) int {
	m.captures = m.captures[:0]
	m.depth = 0
	m.step(1)
	return m.match(s, p)
}

func (m *matcher) match(s, p int) int {
	if m.depth++; m.depth > maxPatternDepth {
		fail(m.L, "pattern too complex")
	}
	end := m.rest(s, p)
	m.depth--
	return end
}

func (m *matcher) rest(s, p int) int {
	for p < len(m.pattern) {
		m.step(1)
		switch c := m.pattern[p]; {
		case c == '(':
			return m.openCapture(s, p)
		case c == ')':
			return m.closeCapture(s, p+1)
		case c == '$' && p+1 == len(m.pattern):
			if s == len(m.subject) {
				return s
			}
			return -1
		case c == escape:
			if nextS, nextP, ok := m.special(s, p+1); ok {
				if nextS < 0 {
					return -1
				}
				s, p = nextS, nextP
				continue
			}
		}
		end := m.classEnd(p)
		suffix := byte(0)
		if end < len(m.pattern) {
			suffix = m.pattern[end]
		}
		switch suffix {
		case '?':
			if m.one(s, p, end) {
				if r := m.match(s+1, end+1); r >= 0 {
					return r
				}
			}
			p = end + 1
		case '*':
			return m.greedy(s, s, p, end)
		case '+':
			if !m.one(s, p, end) {
				return -1
			}
			return m.greedy(s, s+1, p, end)
		case '-':
			return m.lazy(s, p, end)
		default:
			if !m.one(s, p, end) {
				return -1
			}
			s, p = s+1, end
		}
	}
	return s
}

// special matches what is written %b, %f or %1 to %9; p is behind the percent
// sign. ok is false for other escapes, s is -1 when it does not match.
func (m *matcher) special(s, p int) (nextS, nextP int, ok bool) {
	if p >= len(m.pattern) {
		return 0, 0, false
	}
	switch c := m.pattern[p]; {
	case c == 'b':
		return m.balanced(s, p+1), p + 3, true
	case c == 'f':
		end := m.frontier(s, p+1)
		if end < 0 {
			return -1, 0, true
		}
		return s, end, true
	case isDigit(c):
		return m.backReference(s, c), p + 1, true
	}
	return 0, 0, false
}

// greedy takes as many as it can from s on, and gives back down to least.
func (m *matcher) greedy(start, least, p, end int) int {
	s := start
	for m.one(s, p, end) {
		m.step(1)
		s++
	}
	for ; s >= least; s-- {
		if r := m.match(s, end+1); r >= 0 {
			return r
		}
	}
	return -1
}

func (m *matcher) lazy(s, p, end int) int {
	for {
		if r := m.match(s, end+1); r >= 0 {
			return r
		}
		if !m.one(s, p, end) {
			return -1
		}
		s++
	}
}

func (m *matcher) openCapture(s, p int) int {
	length, next := captureOpen, p+1
	if next < len(m.pattern) && m.pattern[next] == ')' {
		length, next = capturePosition, next+1
	}
	if len(m.captures) >= maxCaptures {
		fail(m.L, "too many captures")
	}
	level := len(m.captures)
	m.captures = append(m.captures, capture{s, length})
	r := m.match(s, next)
	if r < 0 {
		m.captures = m.captures[:level]
	}
	return r
}

func (m *matcher) closeCapture(s, p int) int {
	level := -1
	for i := len(m.captures) - 1; i >= 0; i-- {
		if m.captures[i].length == captureOpen {
			level = i
			break
		}
	}
	if level < 0 {
		fail(m.L, "invalid pattern capture")
	}
	m.captures[level].length = s - m.captures[level].start
	r := m.match(s, p)
	if r < 0 {
		m.captures[level].length = captureOpen
	}
	return r
}

func (m *matcher) balanced(s, p int) int {
	if p+1 >= len(m.pattern) {
		fail(m.L, "unbalanced pattern")
	}
	if s >= len(m.subject) || m.subject[s] != m.pattern[p] {
		return -1
	}
	opening, closing := m.pattern[p], m.pattern[p+1]
	open := 1
	for i := s + 1; i < len(m.subject); i++ {
		m.step(1)
		switch m.subject[i] {
		case closing:
			if open--; open == 0 {
				return i + 1
			}
		case opening:
			open++
		}
	}
	return -1
}

// frontier returns where the pattern goes on, or -1.
func (m *matcher) frontier(s, p int) int {
	if p >= len(m.pattern) || m.pattern[p] != '[' {
		fail(m.L, "missing '[' after '%%f' in pattern")
	}
	end := m.classEnd(p)
	var before, here byte
	if s > 0 {
		before = m.subject[s-1]
	}
	if s < len(m.subject) {
		here = m.subject[s]
	}
	if m.set(before, p, end-1) || !m.set(here, p, end-1) {
		return -1
	}
	return end
}

func (m *matcher) backReference(s int, digit byte) int {
	i := int(digit) - '1'
	if i < 0 || i >= len(m.captures) || m.captures[i].length == captureOpen {
		fail(m.L, "invalid capture index")
	}
	c := m.captures[i]
	text := m.subject[c.start : c.start+max(c.length, 0)]
	m.step(1 + len(text)/16)
	if strings.HasPrefix(m.subject[s:], text) {
		return s + len(text)
	}
	return -1
}

// classEnd is the position behind the single-character class at p.
func (m *matcher) classEnd(p int) int {
	c := m.pattern[p]
	p++
	switch c {
	case escape:
		if p >= len(m.pattern) {
			fail(m.L, "malformed pattern (ends with '%%')")
		}
		return p + 1
	case '[':
		if p < len(m.pattern) && m.pattern[p] == '^' {
			p++
		}
		for first := true; ; first = false {
			if p >= len(m.pattern) {
				fail(m.L, "malformed pattern (missing ']')")
			}
			c := m.pattern[p]
			p++
			if c == ']' && !first {
				return p
			}
			if c == escape {
				if p >= len(m.pattern) {
					fail(m.L, "malformed pattern (missing ']')")
				}
				p++
			}
		}
	}
	return p
}

// one tells whether the character at s belongs to the class from p to end.
func (m *matcher) one(s, p, end int) bool {
	if s >= len(m.subject) {
		return false
	}
	c := m.subject[s]
	switch m.pattern[p] {
	case '.':
		return true
	case escape:
		return inClass(c, m.pattern[p+1])
	case '[':
		return m.set(c, p, end-1)
	}
	return m.pattern[p] == c
}

// set tells whether c belongs to the set from p, its bracket, to last, the
// closing one.
func (m *matcher) set(c byte, p, last int) bool {
	m.step((last - p) / 16)
	in := true
	p++
	if m.pattern[p] == '^' {
		in = false
		p++
	}
	for ; p < last; p++ {
		switch {
		case m.pattern[p] == escape:
			p++
			if inClass(c, m.pattern[p]) {
				return in
			}
		case p+2 < last && m.pattern[p+1] == '-':
			if m.pattern[p] <= c && c <= m.pattern[p+2] {
				return in
			}
			p += 2
		case m.pattern[p] == c:
			return in
		}
	}
	return !in
}

// value is capture i of a match from start to end; without captures, capture 0
// is the whole match.
func (m *matcher) value(i, start, end int) lua.LValue {
	if i >= len(m.captures) {
		if i != 0 {
			fail(m.L, "invalid capture index")
		}
		return lua.LString(m.subject[start:end])
	}
	c := m.captures[i]
	switch c.length {
	case captureOpen:
		fail(m.L, "unfinished capture")
	case capturePosition:
		return lua.LNumber(c.start + 1)
	}
	return lua.LString(m.subject[c.start : c.start+c.length])
}

// pushCaptures pushes all captures; the whole match when whole and there are none.
func (m *matcher) pushCaptures(start, end int, whole bool) int {
	n := len(m.captures)
	if n == 0 && whole {
		n = 1
	}
	for i := range n {
		m.L.Push(m.value(i, start, end))
	}
	return n
}
