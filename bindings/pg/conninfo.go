package pg

import (
	"fmt"
	"slices"
	"strings"
)

// setting is one keyword of a connection string.
type setting struct{ key, value string }

// conninfo is a connection string of libpq, such as primary_conninfo, in its
// order. It may hold a password: it goes into no message and no result.
type conninfo []setting

// parseConninfo reads keyword = value pairs; a value with blanks is in single
// quotes, and a backslash takes the next character as it is.
func parseConninfo(text string) (conninfo, error) {
	if strings.HasPrefix(text, "postgres://") || strings.HasPrefix(text, "postgresql://") {
		return nil, fmt.Errorf("it is an address (postgres://) and not keyword = value pairs")
	}
	var out conninfo
	rest := strings.TrimSpace(text)
	for rest != "" {
		key, after, found := strings.Cut(rest, "=")
		key = strings.TrimSpace(key)
		if !found || key == "" || strings.ContainsAny(key, " \t\n'\\") {
			return nil, fmt.Errorf("keyword %d has no value", len(out)+1)
		}
		value, left, ok := parseValue(strings.TrimLeft(after, " \t\n"))
		if !ok {
			return nil, fmt.Errorf("the value of %s has no end", key)
		}
		out, rest = out.with(key, value), strings.TrimSpace(left)
	}
	return out, nil
}

func parseValue(text string) (value, rest string, ok bool) {
	quoted := strings.HasPrefix(text, "'")
	if quoted {
		text = text[1:]
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case quoted && c == '\'':
			return b.String(), text[i+1:], true
		case !quoted && strings.IndexByte(" \t\n", c) >= 0:
			return b.String(), text[i:], true
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), "", !quoted
}

func (c conninfo) get(key string) string {
	if at := slices.IndexFunc(c, func(s setting) bool { return s.key == key }); at >= 0 {
		return c[at].value
	}
	return ""
}

// with sets a keyword in its place, or at the end; an empty value removes it.
func (c conninfo) with(key, value string) conninfo {
	at := slices.IndexFunc(c, func(s setting) bool { return s.key == key })
	switch out := slices.Clone(c); {
	case value == "" && at < 0:
		return out
	case value == "":
		return slices.Delete(out, at, at+1)
	case at < 0:
		return append(out, setting{key, value})
	default:
		out[at].value = value
		return out
	}
}

func (c conninfo) String() string {
	parts := make([]string, len(c))
	for i, s := range c {
		parts[i] = s.key + "=" + quoteParameter(s.value)
	}
	return strings.Join(parts, " ")
}

// literal quotes a text for a statement that takes no parameters, whatever
// standard_conforming_strings says.
func literal(text string) string {
	return "E'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}
