package sandbox

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"github.com/webhost-systems/drhost/host/binding"
)

// formatNumber writes a number as C's %.14g does.
func formatNumber(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e14 && (v != 0 || !math.Signbit(v)) {
		return strconv.FormatInt(int64(v), 10)
	}
	return formatSpecial(v, func() string { return strconv.FormatFloat(v, 'g', 14, 64) })
}

// formatSpecial writes what is not finite as C does, the rest by finite.
func formatSpecial(v float64, finite func() string) string {
	text := ""
	switch {
	case binding.IsPlannedNumber(v):
		return binding.Planned("number")
	case math.IsInf(v, 0):
		text = "inf"
	case math.IsNaN(v):
		text = "nan"
	default:
		return finite()
	}
	if math.Signbit(v) {
		return "-" + text
	}
	return text
}

// directive is one %... of a format.
type directive struct {
	flags     string
	width     string
	precision string // with its dot
	verb      byte
}

// stringFormat is string.format of Lua 5.1: the same directives, flags and
// limits as C's printf, of its own making, because Go's would take indexes,
// stars and verbs that show memory.
func stringFormat(L *lua.LState) int {
	format := stringArgument(L, 1, "format")
	var b strings.Builder
	n := 1
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			b.WriteByte(format[i])
			continue
		}
		if i++; i < len(format) && format[i] == '%' {
			b.WriteByte('%')
			continue
		}
		var d directive
		d, i = readDirective(L, format, i)
		n++
		d.write(L, &b, n)
		checkString(L, b.Len())
	}
	spend(L, b.Len()/64)
	L.Push(lua.LString(b.String()))
	return 1
}

// readDirective reads the directive at i, behind its percent sign, and returns
// the position of its verb.
func readDirective(L *lua.LState, format string, i int) (directive, int) {
	var d directive
	run := func(set string, most int) string {
		from := i
		for i < len(format) && i-from < most && strings.IndexByte(set, format[i]) >= 0 {
			i++
		}
		return format[from:i]
	}
	const digits = "0123456789"
	d.flags = run("-+ #0", 6)
	d.width = run(digits, 2)
	if i < len(format) && format[i] == '.' {
		i++
		d.precision = "." + run(digits, 2)
	}
	if len(d.flags) > 5 {
		fail(L, "invalid format (repeated flags)")
	}
	if i < len(format) && strings.IndexByte(digits, format[i]) >= 0 {
		fail(L, "invalid format (width or precision too long)")
	}
	if i >= len(format) || strings.IndexByte("cdiouxXeEfgGqs", format[i]) < 0 {
		option := "%"
		if i < len(format) {
			option += format[i : i+1]
		}
		fail(L, "invalid option '%s' to 'format'", option)
	}
	d.verb = format[i]
	return d, i
}

func (d directive) write(L *lua.LState, b *strings.Builder, n int) {
	switch d.verb {
	case 'c':
		b.WriteString(d.pad(string([]byte{byte(intArgument(L, n, "format"))})))
	case 'd', 'i':
		b.WriteString(fmt.Sprintf(d.spec('d'), int64(intArgument(L, n, "format"))))
	case 'u':
		b.WriteString(fmt.Sprintf(d.spec('d'), uint64(intArgument(L, n, "format"))))
	case 'o', 'x', 'X':
		b.WriteString(fmt.Sprintf(d.spec(d.verb), uint64(intArgument(L, n, "format"))))
	case 'e', 'E', 'f', 'g', 'G':
		b.WriteString(d.float(numberArgument(L, n, "format")))
	case 'q':
		quote(b, stringArgument(L, n, "format"))
	case 's':
		s := stringArgument(L, n, "format")
		if d.precision != "" {
			if p, _ := strconv.Atoi(d.precision[1:]); p < len(s) {
				s = s[:p]
			}
		}
		b.WriteString(d.pad(s))
	}
}

// spec is the directive for Go's fmt. It consists of checked characters only.
func (d directive) spec(verb byte) string {
	return "%" + d.flags + d.width + d.precision + string(verb)
}

func (d directive) float(v float64) string {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		text := formatSpecial(v, nil)
		if strings.Contains(d.flags, "+") && text[0] != '-' {
			text = "+" + text
		}
		return d.pad(text)
	}
	if d.precision == "" {
		d.precision = ".6"
	}
	return fmt.Sprintf(d.spec(d.verb), v)
}

// pad fills s with blanks up to the width, counted in bytes.
func (d directive) pad(s string) string {
	width, _ := strconv.Atoi(d.width)
	if len(s) >= width {
		return s
	}
	blanks := strings.Repeat(" ", width-len(s))
	if strings.Contains(d.flags, "-") {
		return s + blanks
	}
	return blanks + s
}

// quote writes s as a Lua string.
func quote(b *strings.Builder, s string) {
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\', '\n':
			b.WriteByte('\\')
			b.WriteByte(c)
		case '\r':
			b.WriteString(`\r`)
		case 0:
			b.WriteString(`\000`)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
}
