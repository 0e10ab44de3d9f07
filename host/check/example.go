package check

import (
	"strings"

	"github.com/webhost-systems/drhost/host/binding"
)

// Example checks the example of a declared function as if it stood in a
// runbook that requires every module of the catalog.
func Example(catalog *binding.Catalog, f binding.Function) []Problem {
	spec := f.Spec()
	return Snippet(catalog, "example of "+spec.Full(), spec.Example)
}

// Snippet checks statements as if they stood in a runbook's run function, in a
// file that requires every module of the catalog. Lines are those of the
// snippet; warnings are left out.
func Snippet(catalog *binding.Catalog, name, text string) []Problem {
	var head strings.Builder
	if catalog != nil {
		for _, m := range catalog.Modules() {
			head.WriteString("local " + m.Name + " = require \"" + m.Name + "\" ")
		}
	}
	// All on one line, so that lines stay those of the snippet.
	source := head.String() + "return runbook { title = \"Example\", run = function() " + text + "\nend }"
	switch {
	case strings.HasPrefix(text, "return runbook"), strings.HasPrefix(text, "return drill"):
		source = head.String() + text
	case strings.HasPrefix(text, "local ") && strings.Contains(text, "= require "):
		source = text + "\nreturn runbook { title = \"Example\", run = function() end }"
	}
	var out []Problem
	for _, p := range File(name, []byte(source), Options{Catalog: catalog}) {
		if p.Severity == Error {
			p.Column = 0
			out = append(out, p)
		}
	}
	return out
}
