// Package words declares what a script may say beside its providers: the
// runbook words with their signatures, the run object, the heads of runbooks
// and drills, and the part of the Lua library that is there. The checker, the
// editor stubs and the reference pages are made of these tables. The package
// never runs anything and knows no provider.
package words

// Kind is what a word expects of an argument, an option or a head's field.
type Kind string

const (
	Title     Kind = "title"     // literal text that names a step
	Text      Kind = "text"      // any string
	Duration  Kind = "duration"  // a string such as "5m"
	Count     Kind = "count"     // a whole number from 1 on
	Number    Kind = "number"    // any number
	Flag      Kind = "flag"      // true or false
	Function  Kind = "function"  // function() ... end
	Branches  Kind = "branches"  // { name = function() ... end, ... }
	Items     Kind = "items"     // a list
	Texts     Kind = "texts"     // a list of strings
	Options   Kind = "options"   // the word's own options
	Table     Kind = "table"     // any table with named fields
	Condition Kind = "condition" // anything; nil and false are "no"
	Head      Kind = "head"      // the table of runbook or drill
	Any       Kind = "any"
)

// Word is one word of a script.
type Word struct {
	Name    string
	Doc     string
	Params  []Param
	Options []Field // of the parameter of kind Options
	Returns string  // in words, for the reference; empty: nothing
	Type    string  // of the result, as an editor stub says it
	Example string
	// AtLoad tells that the word may be used while the file is loaded; all
	// others belong inside run = function(input) ... end.
	AtLoad bool
}

// Param is a parameter of a word, by position.
type Param struct {
	Name     string
	Kind     Kind
	Optional bool // may be left out, even in the middle
	Doc      string
}

// Field is a named part: an option of a word, or a field of a head.
type Field struct {
	Name     string
	Kind     Kind
	Required bool
	Choices  []string // of a text
	Fields   []Field  // of a table with fixed fields
	Each     []Field  // of a table that holds tables with fixed fields by free names
	Doc      string
}

// Member is a field or a function of an object.
type Member struct {
	Name   string
	Params []Param // nil for a plain field
	Method bool    // called with a colon, even without parameters: run:elapsed()
	Type   string  // as an editor stub says it
	Doc    string
}

// Find returns the word called name, or nil.
func Find(name string) *Word {
	for _, w := range All() {
		if w.Name == name {
			return &w
		}
	}
	return nil
}

// Names are the names of fields, in their order.
func Names(fields []Field) []string {
	var out []string
	for _, f := range fields {
		out = append(out, f.Name)
	}
	return out
}

// MemberNames are the names of members, in their order.
func MemberNames(members []Member) []string {
	var out []string
	for _, m := range members {
		out = append(out, m.Name)
	}
	return out
}

// Lookup returns the field called name, or nil.
func Lookup(fields []Field, name string) *Field {
	for i := range fields {
		if fields[i].Name == name {
			return &fields[i]
		}
	}
	return nil
}

// Signature is how a word is written: step(title, [options], fn).
func (w *Word) Signature() string {
	text := w.Name + "("
	for i, p := range w.Params {
		if i > 0 {
			text += ", "
		}
		if p.Optional {
			text += "[" + p.Name + "]"
		} else {
			text += p.Name
		}
	}
	return text + ")"
}
