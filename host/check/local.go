package check

import (
	"sort"
	"strings"

	"github.com/webhost-systems/drhost/host/binding"
)

// judgeLocals warns of locals that nobody reads. Parameters and loop variables
// may be there for their place, and a name that starts with _ says so.
func (c *checker) judgeLocals() {
	list := append([]*symbol(nil), c.declared...)
	sort.SliceStable(list, func(i, j int) bool { return list[i].line < list[j].line })
	for _, s := range list {
		if s.used || s.form != "local" || strings.HasPrefix(s.name, "_") {
			continue
		}
		p := Problem{Line: s.line, Column: c.column(s.line, s.name), Code: CodeUnused, Severity: Warning, Message: "local " + s.name + " is never used"}
		if s.required != "" {
			p.Message = "module " + s.required + " is required and never used; without the line the runbook is allowed less"
		}
		c.report(p)
	}
}

func nearestModule(name string, known []string) string {
	if near := binding.Nearest(name, known); near != "" {
		return near
	}
	return binding.Nearest("std."+name, known)
}
