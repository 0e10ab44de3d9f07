package reference

import (
	"fmt"
	"strings"

	"github.com/webhost-systems/drhost/host/words"
)

// wordStub is words.lua.
func wordStub() []byte {
	s := &stub{}
	s.line("---@meta")
	s.WriteString(generated)
	s.line("\n---A time such as \"30s\", \"5m\" or \"1h30m\".\n---@alias drhost.Duration string")
	s.line("\n---A moment such as \"2026-02-28T03:00:00Z\".\n---@alias drhost.Moment string")
	s.line("\n---A handle for a credential; see secret.\n---@class (exact) drhost.Secret")
	s.members("drhost.Fault", "What a failed call raises.", words.Fault())
	s.members("drhost.Run", "What a script may know of its run.", words.Run())
	s.members("drhost.Outcome", "How a drill's run went.", words.Outcome())
	s.line("\n---A drill's world. Its methods break things: world:kill_server(\"hobby-1\").\n---@class drhost.World\n---@field [string] fun(self: drhost.World, ...): any")
	s.fields("drhost.Runbook", "The head of a runbook.", words.RunbookHead())
	s.fields("drhost.Drill", "The head of a drill.", words.DrillHead())
	for _, w := range words.All() {
		if w.Name != "require" { // the editor knows it, and what it returns
			s.word(&w)
		}
	}
	s.line("\n---What a runbook may know of its run.\n---@type drhost.Run\nrun = {}")
	return s.Bytes()
}

func (s *stub) members(name, doc string, members []words.Member) {
	s.line("")
	s.doc(doc)
	s.line("---@class (exact) %s", name)
	for _, m := range members {
		typ := m.Type
		if m.Method {
			params := []string{"self: " + name}
			for _, p := range m.Params {
				params = append(params, p.Name+": "+wordType(p.Kind))
			}
			typ = fmt.Sprintf("fun(%s): %s", strings.Join(params, ", "), m.Type)
		}
		s.line("---@field %s %s %s", m.Name, typ, m.Doc)
	}
}

// fields writes a table with fixed fields, and after it the tables inside.
func (s *stub) fields(name, doc string, fields []words.Field) {
	var later []func()
	s.line("")
	s.doc(doc)
	s.line("---@class (exact) %s", name)
	for _, f := range fields {
		mark, typ := "?", wordType(f.Kind)
		if f.Required {
			mark = ""
		}
		inner := name + "." + f.Name
		switch {
		case len(f.Choices) > 0:
			typ = quoted(f.Choices)
		case f.Fields != nil:
			typ = inner
			later = append(later, func() { s.fields(inner, "The field "+f.Name+".", f.Fields) })
		case f.Each != nil:
			typ = "table<string, " + inner + ">"
			later = append(later, func() { s.fields(inner, "One of the field "+f.Name+".", f.Each) })
		case f.Kind == words.Function:
			typ = headFunction(f.Name)
		}
		s.line("---@field %s%s %s %s", f.Name, mark, typ, f.Doc)
	}
	for _, write := range later {
		write()
	}
}

// headFunction is the type of a head's function.
func headFunction(name string) string {
	switch name {
	case "run":
		return "fun(input: table<string, any>): any"
	case "expect":
		return "fun(world: drhost.World, run: drhost.Outcome)"
	case "setup", "fault":
		return "fun(world: drhost.World)"
	}
	return "function"
}

func wordType(k words.Kind) string {
	switch k {
	case words.Title, words.Text:
		return "string"
	case words.Duration:
		return "drhost.Duration"
	case words.Count:
		return "integer"
	case words.Number:
		return "number"
	case words.Flag:
		return "boolean"
	case words.Function:
		return "function"
	case words.Branches:
		return "table<string, function>"
	case words.Items:
		return "any[]"
	case words.Texts:
		return "string[]"
	case words.Table:
		return "table<string, any>"
	}
	return "any"
}

// word writes one word, with an overload for each place where its options may
// be left out.
func (s *stub) word(w *words.Word) {
	if w.Options != nil {
		s.fields("drhost."+w.Name+".options", "Options of "+w.Name+".", w.Options)
	}
	s.line("")
	s.doc(w.Doc)
	s.line("---```lua")
	s.doc(w.Example)
	s.line("---```")
	var names, without []string
	middle := false
	for i, p := range w.Params {
		typ := s.paramType(w, p)
		if p.Name == "..." {
			s.line("---@param ... any")
			names = append(names, "...")
			continue
		}
		mark := ""
		if p.Optional && i == len(w.Params)-1 {
			mark = "?"
		}
		s.line("---@param %s%s %s %s", p.Name, mark, typ, p.Doc)
		names = append(names, p.Name)
		if p.Optional && mark == "" {
			middle = true
		} else {
			without = append(without, p.Name+mark+": "+typ)
		}
	}
	if w.Type != "" {
		s.line("---@return %s", w.Type)
	}
	if middle {
		s.line("---@overload fun(%s): %s", strings.Join(without, ", "), w.Type)
	}
	s.line("function %s(%s) end", w.Name, strings.Join(names, ", "))
}

func (s *stub) paramType(w *words.Word, p words.Param) string {
	switch {
	case p.Kind == words.Options:
		return "drhost." + w.Name + ".options"
	case p.Kind == words.Head && w.Name == "drill":
		return "drhost.Drill"
	case p.Kind == words.Head:
		return "drhost.Runbook"
	}
	return wordType(p.Kind)
}
