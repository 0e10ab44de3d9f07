package terminal

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/charmbracelet/x/ansi"
)

// span shows a duration: whole seconds while it grows.
func span(d time.Duration, growing bool) string {
	d = max(d, 0)
	switch {
	case d < time.Minute && growing:
		return strconv.Itoa(int(d.Seconds())) + " s"
	case d < 59950*time.Millisecond:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
}

type painter func(on bool, text string) string

func yellow(on bool, s string) string { return paint(on, "33", s) }
func plain(_ bool, s string) string   { return s }

// line is one line in one colour.
func (c canvas) line(depth int, mark, text, took string, color painter) string {
	return c.compose(depth, mark, text, took, color, color)
}

// marked is one line of which only the sign is coloured.
func (c canvas) marked(depth int, mark string, color painter, text, took string) string {
	return c.compose(depth, mark, text, took, color, plain)
}

func (c canvas) compose(depth int, mark, text, took string, markColor, textColor painter) string {
	indent := strings.Repeat(" ", min(2*depth, c.width/2))
	lead := ansi.StringWidth(indent)
	if mark != "" {
		lead += ansi.StringWidth(mark) + 1
		mark = markColor(c.color && mark != " ", mark) + " "
	}
	edge := min(c.width, widest)
	if took == "" {
		edge = c.width
	}
	room := edge - lead
	if took != "" && room-ansi.StringWidth(took)-2 < 10 {
		took = ""
	}
	if took != "" {
		room -= ansi.StringWidth(took) + 2
	}
	text = cut(clean(text), room)
	line := indent + mark + textColor(c.color && text != "", text)
	if took != "" {
		line += strings.Repeat(" ", room-ansi.StringWidth(text)+2) + dim(c.color, took)
	}
	if ansi.StringWidth(line) > c.width {
		return ansi.Truncate(line, c.width, "")
	}
	return strings.TrimRight(line, " ")
}

// lines breaks text between words into at most most lines.
func (c canvas) lines(depth int, mark, text string, color painter, most int) []string {
	lead := min(2*depth, c.width/2)
	if mark != "" {
		lead += 2
	}
	parts := strings.Split(ansi.Wrap(clean(text), max(c.width-lead, 1), ""), "\n")
	if len(parts) > most && !c.final {
		parts = append(parts[:most-1:most-1], strings.Join(parts[most-1:], " "))
	}
	for i, part := range parts {
		parts[i] = c.line(depth, mark, part, "", color)
	}
	return parts
}

// cut shortens text to width columns.
func cut(text string, width int) string {
	if width <= 0 {
		return ""
	}
	return ansi.Truncate(text, width, "…")
}

// clean makes text fit one line.
func clean(text string) string { return strings.Join(strings.Fields(tame(text)), " ") }

// tame leaves of text what can be read. Control characters go but for line
// feeds, and so do those that turn the direction of writing: what a provider
// answered must not steer a terminal.
func tame(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069:
			return -1
		}
		return r
	}, ansi.Strip(text))
}

func itoa(n int) string { return strconv.Itoa(n) }
