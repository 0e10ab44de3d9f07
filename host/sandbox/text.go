package sandbox

import (
	"fmt"
	"strings"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"

	"github.com/webhost-systems/drhost/host/words"
)

// What a script may put into the journal at once.
const (
	maxTitle   = words.MaxTitle   // bytes of a title or a branch's name
	maxText    = words.MaxText    // bytes of a note, a question, a printed line
	maxMessage = words.MaxMessage // bytes of an error's message
)

// clip makes text fit for journal and terminal: valid UTF-8, without control
// characters but line ends and tabs, and no longer than most bytes.
func clip(text string, most int) string {
	left := 0
	if len(text) > most {
		cut := most
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		left, text = len(text)-cut, text[:cut]
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	if strings.ContainsFunc(text, hidden) {
		var b strings.Builder
		for _, r := range text {
			if hidden(r) {
				fmt.Fprintf(&b, "\\u{%x}", r)
			} else {
				b.WriteRune(r)
			}
		}
		text = b.String()
	}
	if left > 0 {
		text += fmt.Sprintf("... (%d more bytes)", left)
	}
	return text
}

// hidden tells of characters that steer a terminal, or turn the direction of
// what follows, instead of showing.
func hidden(r rune) bool {
	switch {
	case r == '\n', r == '\t':
		return false
	case r < ' ', r >= 0x7f && r < 0xa0:
		return true
	}
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// named is how a value that stands for a name reads in a message: short, and
// without an address.
func named(v lua.LValue) string {
	if s, ok := textOf(v); ok {
		return clip(s, 80)
	}
	switch v.(type) {
	case *lua.LNilType, lua.LBool:
		return v.String()
	}
	return "a " + v.Type().String()
}

// title reads argument n, a title or a name that keys the journal.
func title(L *lua.LState, n int, word, what string) string {
	return checkedTitle(L, word, text(L, n, word, what))
}

func checkedTitle(L *lua.LState, word, s string) string {
	switch {
	case len(s) > maxTitle:
		raiseText(L, fmt.Sprintf("%s: a title or a name of %d bytes is too long; at most %d", word, len(s), maxTitle))
	case !utf8.ValidString(s):
		raiseText(L, word+": a title or a name must be valid UTF-8 text")
	case strings.ContainsAny(s, "\n\t") || strings.ContainsFunc(s, hidden):
		raiseText(L, fmt.Sprintf("%s: the title or name %q holds a control character", word, s))
	}
	return s
}
