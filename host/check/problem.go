// Package check finds mistakes in scripts without running them: it parses a
// runbook or drill and holds it against the providers' declarations and the
// runbook words. It must never execute a script, call a provider or read a
// file; what it cannot know for certain it keeps silent about.
package check

import (
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"strings"

	"github.com/webhost-systems/drhost/host/binding"
)

// Severity of a problem. An error keeps a script from being run.
type Severity string

const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Codes of problems. They appear in --json output and are a contract.
const (
	CodeSyntax      = "syntax"
	CodeGlobal      = "unknown_global"
	CodeAssignment  = "global_assignment"
	CodeUnused      = "unused"
	CodeModule      = "unknown_module"
	CodeFunction    = "unknown_function"
	CodeCall        = "call_form"
	CodeArgument    = "argument"
	CodeField       = "unknown_field"
	CodeWord        = "word"
	CodeOption      = "option"
	CodeTitle       = "step_title"
	CodeSimilar     = "similar_title"
	CodeHead        = "head"
	CodeForm        = "file_form"
	CodeInput       = "unknown_input"
	CodeResume      = "resume"
	CodeLoad        = "call_at_load"
	CodePolling     = "step_in_poll"
	CodeUnlookedFor = "ignored_result"
	CodeConfig      = "config" // in drhost.toml
)

// Problem is one mistake in a script.
type Problem struct {
	File       string   `json:"file"`
	Line       int      `json:"line"`
	Column     int      `json:"column,omitempty"` // from 1 on; 0 when not known
	Code       string   `json:"code"`
	Message    string   `json:"message"`
	Suggestion string   `json:"suggestion,omitempty"` // what was probably meant
	Severity   Severity `json:"severity"`
}

// String reads `runbooks/x.lua:12: there is no function hetzner.servr; did you
// mean "server"?`.
func (p Problem) String() string {
	text := fmt.Sprintf("%s:%d: ", p.File, p.Line)
	if p.Line == 0 { // of the file as a whole
		text = p.File + ": "
	}
	if p.Severity == Warning {
		text += "warning: "
	}
	text += p.Message
	if p.Suggestion != "" {
		text += fmt.Sprintf("; did you mean %q?", p.Suggestion)
	}
	return text
}

// JSON writes the problems as a list, one after the other in the order given.
func JSON(w io.Writer, problems []Problem) error {
	if problems == nil {
		problems = []Problem{}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(problems)
}

// Options are what a script is held against. Without a Catalog, and for what
// Std and World do not say, names are taken as they come.
type Options struct {
	Catalog *binding.Catalog
	Std     map[string][]byte // "std.health" -> its Lua source
	World   []string          // the methods of a drill's world; empty: not known
	// WorldArgs are the names of what a fault of the world is told; none: not
	// known. May be nil.
	WorldArgs func(fault string) []string
}

// File checks a runbook or a drill. name is how the file is called to the
// operator. The problems are sorted by line.
func File(name string, source []byte, o Options) []Problem {
	return run(name, source, o, true)
}

// Module checks the source of a std module, which may return anything.
func Module(name string, source []byte, o Options) []Problem {
	return run(name, source, o, false)
}

func run(name string, source []byte, o Options, script bool) []Problem {
	c := newChecker(name, source, o)
	c.script = script
	if err := c.analyse(); err != nil {
		return []Problem{*err}
	}
	return c.sorted()
}

// sorted returns the problems by line, each once.
func (c *checker) sorted() []Problem {
	sort.SliceStable(c.problems, func(i, j int) bool {
		a, b := c.problems[i], c.problems[j]
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		if a.Severity != b.Severity {
			return a.Severity == Error
		}
		return a.Message < b.Message
	})
	var out []Problem
	seen := map[Problem]bool{}
	for _, p := range c.problems {
		if !seen[p] {
			seen[p] = true
			out = append(out, p)
		}
	}
	return out
}

// report adds a problem, unless this pass only gathers.
func (c *checker) report(p Problem) {
	if c.silent {
		return
	}
	p.File = c.file
	if p.Severity == "" {
		p.Severity = Error
	}
	if p.Line < 1 {
		p.Line = 1
	}
	c.problems = append(c.problems, p)
}

func (c *checker) errorf(line int, code, format string, args ...any) {
	c.report(Problem{Line: line, Code: code, Message: fmt.Sprintf(format, args...)})
}

func (c *checker) warnf(line int, code, format string, args ...any) {
	c.report(Problem{Line: line, Code: code, Severity: Warning, Message: fmt.Sprintf(format, args...)})
}

// misspelt reports a word that is not among the known ones, with the one that
// was probably meant or, when there are few, all of them.
func (c *checker) misspelt(line int, code, word string, known []string, format string, args ...any) {
	if c.silent {
		return
	}
	p := Problem{Line: line, Column: c.column(line, word), Code: code, Message: fmt.Sprintf(format, args...), Suggestion: binding.Nearest(word, known)}
	if p.Suggestion == "" && len(known) > 0 && len(known) <= 12 {
		p.Message += "; there are " + strings.Join(known, ", ")
	}
	c.report(p)
}

// column is where word stands in a line, when it stands there once.
func (c *checker) column(line int, word string) int {
	if line < 1 || line > len(c.lines) || word == "" {
		return 0
	}
	text, found := c.lines[line-1], 0
	for at := 0; at+len(word) <= len(text); at++ {
		if text[at:at+len(word)] != word || at > 0 && isName(text[at-1]) || at+len(word) < len(text) && isName(text[at+len(word)]) {
			continue
		}
		if found > 0 {
			return 0
		}
		found = at + 1
	}
	return found
}

func isName(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}
