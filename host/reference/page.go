package reference

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/words"
)

// Pages are the reference pages in Markdown by name: one for each module, and
// words.md.
func Pages(catalog *binding.Catalog) map[string][]byte {
	out := map[string][]byte{"words.md": wordPage()}
	for _, m := range catalog.Modules() {
		out[m.Name+".md"] = modulePage(m)
	}
	return out
}

// page writes one page.
type page struct{ bytes.Buffer }

func (p *page) line(format string, args ...any) { fmt.Fprintf(&p.Buffer, format+"\n", args...) }

func (p *page) code(text string) { p.line("```lua\n%s\n```\n", strings.TrimSpace(text)) }

// table writes rows of cells under a heading. Columns that hold nothing are
// left out.
func (p *page) table(head []string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	var kept []int
	for i := range head {
		for _, row := range rows {
			if row[i] != "" {
				kept = append(kept, i)
				break
			}
		}
	}
	row := func(cells []string) {
		var out []string
		for _, i := range kept {
			out = append(out, strings.ReplaceAll(oneLine(cells[i]), "|", `\|`))
		}
		p.line("| %s |", strings.Join(out, " | "))
	}
	row(head)
	p.line("|%s", strings.Repeat("---|", len(kept)))
	for _, cells := range rows {
		row(cells)
	}
	p.line("")
}

func modulePage(m *binding.Module) []byte {
	p := &page{}
	p.line("# %s\n\n%s\n", m.Name, m.Doc)
	p.code(fmt.Sprintf("local %s = require %q", m.Name, m.Name))
	for _, effect := range []binding.Effect{binding.Reads, binding.Mutates, binding.Destroys} {
		var links []string
		for _, f := range m.Functions {
			if s := f.Spec(); s.Effect == effect {
				links = append(links, fmt.Sprintf("[%s](#%s)", s.Name, anchor(s.Full())))
			}
		}
		if len(links) > 0 {
			p.line("- %s: %s", effect, strings.Join(links, ", "))
		}
	}
	p.settings(m)
	p.line("## Functions\n\nEach takes exactly one table.\n")
	records := map[string]*binding.Type{}
	for _, f := range m.Functions {
		p.function(f.Spec(), records)
	}
	p.records(records)
	return p.Bytes()
}

// anchor is how a renderer of Markdown calls the heading of full.
func anchor(full string) string { return strings.ReplaceAll(full, ".", "") }

func (p *page) settings(m *binding.Module) {
	p.line("")
	if m.Settings == nil || len(m.Settings.Fields) == 0 {
		return
	}
	p.line("## Settings\n\nIn drhost.toml, under `[env.NAME.%s]`.\n", m.Name)
	p.table([]string{"setting", "type", "default", "what it is"}, rows(m.Settings.Fields, "", nil))
}

// rows are fields as a table's rows; the fields of tables inside follow with
// their path. Named records that are met go into records.
func rows(fields []*binding.Field, path string, records map[string]*binding.Type) [][]string {
	var out [][]string
	for _, f := range fields {
		def := ""
		switch {
		case f.Default != "":
			def = "`" + f.Default + "`"
		case f.Optional:
			def = "none"
		}
		what := f.Doc
		if len(f.Enum) > 0 {
			what += " One of " + strings.Join(f.Enum, ", ") + "."
		}
		out = append(out, []string{"`" + path + f.Name + "`", typeName(f.Type, records), def, what})
		inner, mark := f.Type, ""
		for inner.Kind == binding.List || inner.Kind == binding.Map {
			inner, mark = inner.Elem, mark+"[]"
		}
		if inner.Kind == binding.Record && inner.Name == "" {
			out = append(out, rows(inner.Fields, path+f.Name+mark+".", records)...)
		}
	}
	return out
}

// typeName is how a type is called, with a link where it is a record.
func typeName(t *binding.Type, records map[string]*binding.Type) string {
	collect(t, records)
	text := t.String()
	inner := t
	for inner.Kind == binding.List || inner.Kind == binding.Map {
		inner = inner.Elem
	}
	if inner.Kind == binding.Record && inner.Name != "" && records != nil {
		text = strings.ReplaceAll(text, inner.Name, fmt.Sprintf("[%s](#%s)", inner.Name, "record-"+strings.ToLower(anchor(inner.Name))))
	}
	return text
}

func collect(t *binding.Type, records map[string]*binding.Type) {
	if t == nil || records == nil {
		return
	}
	if t.Kind == binding.Record && t.Name != "" {
		if records[t.Name] != nil {
			return
		}
		records[t.Name] = t
	}
	collect(t.Elem, records)
	for _, f := range t.Fields {
		collect(f.Type, records)
	}
}

func (p *page) function(s *binding.Spec, records map[string]*binding.Type) {
	p.line("### %s\n\n%s %s\n", s.Full(), s.Doc, effectSentence(s))
	p.code(s.Example)
	p.table([]string{"argument", "type", "default", "what it is"}, rows(s.Args.Fields, "", records))
	switch {
	case s.Result.Kind == binding.Nothing:
		p.line("Gives nothing back.\n")
	case s.Result.Kind == binding.Record && s.Result.Name == "":
		p.line("Gives a table:\n")
		p.table([]string{"field", "type", "", "what it is"}, results(s.Result.Fields, records))
	default:
		p.line("Gives: %s.\n", typeName(s.Result, records))
	}
}

// results are rows without defaults: a field that may be nil says so.
func results(fields []*binding.Field, records map[string]*binding.Type) [][]string {
	out := rows(fields, "", records)
	for _, row := range out {
		if row[2] != "" {
			row[1] += " or nil"
		}
		row[2] = ""
	}
	return out
}

func (p *page) records(records map[string]*binding.Type) {
	if len(records) == 0 {
		return
	}
	p.line("## Records\n\nReading a field that a record does not have is an error.\n")
	done := map[string]bool{}
	for len(done) < len(records) { // a record may bring up others
		for _, name := range sortedNames(records) {
			if !done[name] {
				done[name] = true
				p.line("### Record %s\n", name) // there may be a function of that name
				p.table([]string{"field", "type", "", "what it is"}, results(records[name].Fields, records))
			}
		}
	}
}

func wordPage() []byte {
	p := &page{}
	p.line("# Words\n\nWhat a runbook says beside its providers and plain Lua 5.1.\n")
	for _, w := range words.All() {
		p.line("## %s\n\n%s\n", w.Name, w.Doc)
		p.line("    %s\n", w.Signature())
		p.params(&w)
		if w.Returns != "" {
			p.line("Gives %s.\n", w.Returns)
		}
		p.code(w.Example)
	}
	p.heads()
	p.line("## The object run\n")
	p.members("run", words.Run())
	p.line("## How a drill's run went\n\nThe second argument of a drill's expect.\n")
	p.members("run", words.Outcome())
	p.line("## Faults\n\nWhat a failed call raises: pcall catches it. A refusal, a cancellation and a divergence pass through pcall.\n")
	p.members("fault", words.Fault())
	p.library()
	return p.Bytes()
}

func (p *page) params(w *words.Word) {
	var list [][]string
	for _, x := range w.Params {
		if x.Kind != words.Options && x.Doc != "" {
			list = append(list, []string{"`" + x.Name + "`", wordType(x.Kind), x.Doc})
		}
	}
	for _, o := range w.Options {
		list = append(list, []string{"`options." + o.Name + "`", wordType(o.Kind), o.Doc})
	}
	p.table([]string{"argument", "type", "what it is"}, plain(list))
}

// plain takes the prefix off the types that only the editor knows.
func plain(list [][]string) [][]string {
	for _, row := range list {
		row[1] = strings.ReplaceAll(strings.ToLower(row[1]), "drhost.", "")
	}
	return list
}

func (p *page) heads() {
	p.line("## The head of a runbook\n")
	p.head(words.RunbookHead())
	p.line("## The head of a drill\n")
	p.head(words.DrillHead())
}

func (p *page) head(fields []words.Field) {
	var list [][]string
	var add func(prefix string, fields []words.Field)
	add = func(prefix string, fields []words.Field) {
		for _, f := range fields {
			doc := f.Doc
			if len(f.Choices) > 0 {
				doc += " One of " + strings.Join(f.Choices, ", ") + "."
			}
			if f.Required {
				doc += " Required."
			}
			list = append(list, []string{"`" + prefix + f.Name + "`", wordType(f.Kind), doc})
			add(prefix+f.Name+".", f.Fields)
			add(prefix+f.Name+".NAME.", f.Each)
		}
	}
	add("", fields)
	p.table([]string{"field", "type", "what it is"}, plain(list))
}

func (p *page) members(object string, members []words.Member) {
	var list [][]string
	for _, m := range members {
		name := object + "." + m.Name
		if m.Method {
			var params []string
			for _, x := range m.Params {
				params = append(params, x.Name)
			}
			name = object + ":" + m.Name + "(" + strings.Join(params, ", ") + ")"
		}
		list = append(list, []string{"`" + name + "`", m.Type, m.Doc})
	}
	p.table([]string{"field", "type", "what it is"}, plain(list))
}

// library says what of Lua's own is there, and what is missing on purpose.
func (p *page) library() {
	p.line("## Lua\n\nOf Lua 5.1 there are `%s`, and:\n", strings.Join(words.Base(), "`, `"))
	library := words.Library()
	for _, table := range sortedNames(library) {
		p.line("- `%s`: %s", table, strings.Join(library[table], ", "))
	}
	p.line("\nThese are missing, and this is why:\n")
	for _, a := range words.Absent() {
		p.line("- `%s`: %s", strings.Join(a.Names, "`, `"), a.Why)
	}
	p.line("\nThe rest is Lua 5.1 as its manual says, with the differences that host/sandbox/DEVIATIONS.md lists. The order of pairs, " +
		"the text of a table, the numbers of math.random and the time that run:elapsed() tells are the same when a run is resumed.\n")
	p.line("## Bounds\n\nA script that goes beyond one of these is stopped, or the call is refused, with an error that names the line. " +
		"No pcall goes past the first two.\n")
	var bounds [][]string
	for _, b := range words.Bounds() {
		bounds = append(bounds, []string{b.What, strings.TrimSpace(b.Most)})
	}
	p.table([]string{"what", "at most"}, bounds)
}

func sortedNames[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for name := range m {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
