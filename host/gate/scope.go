package gate

import (
	"strconv"
	"strings"
)

// Scope is where in the run a script stands: the run itself, a step, or a
// branch. It numbers the calls made directly in it, so that a call's key says
// the same thing on every replay whatever the other branches do.
type Scope struct {
	Path  string // step titles and branch names, joined by "/"; "" for the run
	Step  string // path of the innermost step, for messages
	count int
	notes int
	met   map[string]int // decisions of a form
	used  map[string]bool
}

// Child returns the scope of a step or branch inside s.
func (s *Scope) Child(name string) *Scope {
	path := escape(name)
	if s.Path != "" {
		path = s.Path + "/" + path
	}
	return &Scope{Path: path, Step: path}
}

// Claim reserves a title in s and tells whether it was free.
func (s *Scope) Claim(name string) bool {
	if s.used[name] {
		return false
	}
	if s.used == nil {
		s.used = map[string]bool{}
	}
	s.used[name] = true
	return true
}

// Restart makes the scope ready for another attempt of the same step.
func (s *Scope) Restart() {
	s.count, s.used, s.met = 0, nil, nil
}

func (s *Scope) next() string {
	s.count++
	return s.Path + "/" + strconv.Itoa(s.count)
}

// Decision names the next decision of a form made directly in s, in a run as in
// the plan that it follows.
func (s *Scope) Decision(form string) string {
	if s.met == nil {
		s.met = map[string]int{}
	}
	s.met[form]++
	return s.Path + "/" + form + strconv.Itoa(s.met[form])
}

// escape keeps a title from looking like two path elements.
func escape(name string) string { return strings.ReplaceAll(name, "/", "∕") }

// under tells whether key lies inside path.
func under(key, path string) bool {
	return path == "" || len(key) > len(path) && key[len(path)] == '/' && strings.HasPrefix(key, path)
}
