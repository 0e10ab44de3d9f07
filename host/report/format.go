package report

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

func duration(d time.Duration) string {
	switch {
	case d.Round(time.Millisecond) < time.Second:
		return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
	case d < 59950*time.Millisecond:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour-500*time.Millisecond:
		d = d.Round(time.Second)
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	d = d.Round(time.Minute)
	return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
}

// target shows "4h" as "4 h 00 min", and what is no duration as it is.
func target(text string) string {
	if text == "" {
		return "none"
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return text
	}
	if d == 0 {
		return "0"
	}
	return duration(d)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// oneLine makes text fit a line of a tree or a cell of a table. Control
// characters go: what a provider answered must not steer a terminal.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, text)
}

// wrap breaks text between words into lines of at most width; longer words
// stay whole.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(oneLine(text)) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// cell makes text fit a cell of a Markdown table.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;").Replace(oneLine(text))
}

// prose keeps text from being read as Markdown's tables, tags or headings.
func prose(text string) string {
	return strings.NewReplacer("<", "&lt;", "*", `\*`, "`", "\\`").Replace(oneLine(text))
}

// facts shows plain data as "name = value, ...", sorted by name.
func facts(m map[string]any) string {
	names := make([]string, 0, len(m))
	for name := range m {
		if name != "$type" {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	for i, name := range names {
		text, ok := m[name].(string)
		if !ok {
			if raw, err := json.Marshal(m[name]); err == nil {
				text = string(raw)
			}
		}
		names[i] = name + " = " + text
	}
	return strings.Join(names, ", ")
}

func shorten(text string, width int, mark string) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	keep := max(width-utf8.RuneCountInString(mark), 0)
	return string([]rune(text)[:keep]) + mark
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
