package report

import (
	_ "embed"
	"errors"
	"html/template"
	"io"
	"path/filepath"
	"strings"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

// HTML writes the report as one page that needs nothing else: no script, no
// picture, no font, so that it can be mailed, read on a phone and printed.
func HTML(w io.Writer, r *Run) error {
	page, err := template.New("page").Funcs(template.FuncMap{
		"line": oneLine, "stamp": stamp, "target": target, "result": changeResult,
		"facts":    func(m map[string]any) string { return oneLine(facts(m)) },
		"evidence": func(e Evidence) string { return oneLine(e.said()) },
		"mark":     func(n *Node) string { return markOf(n).sign },
		"title":    func(n *Node) string { return (&printer{}).title(n) },
		"shown":    func(n *Node) bool { return !quiet(n) },
		"took": func(n *Node) string {
			if n.Form == "note" || n.State == "unknown" {
				return ""
			}
			return n.Live.String()
		},
		"ownFault": func(n *Node) any {
			if n.Fault == nil || carriesFault(n) {
				return nil
			}
			return n.Fault
		},
	}).Parse(pageHTML)
	if err != nil {
		return err
	}
	return page.Execute(w, htmlPage{Run: r, Style: template.CSS(pageCSS)})
}

// htmlPage is a run as the page's template sees it.
type htmlPage struct {
	*Run
	Style template.CSS
}

// Outcome is the run's result in a word or two.
func (p htmlPage) Outcome() string { return p.outcome() }

// Disturbed tells whether anything happened to the run itself.
func (p htmlPage) Disturbed() bool {
	return len(p.Interruptions)+len(p.Edits)+len(p.Repairs) > 0
}

// Source is where the runbook that ran is kept.
func (p htmlPage) Source() string { return filepath.Join("runs", p.ID, "source") }

// PlanText is what a plan found, as a terminal shows it.
func (p htmlPage) PlanText() (string, error) {
	var out strings.Builder
	err := errors.Join(PlanTree(&out, p.Plan, Style{Width: 100}), PlanSummary(&out, p.Run))
	return out.String(), err
}

// DeviationText is how the run deviated from the plan that it follows.
func (p htmlPage) DeviationText() (string, error) {
	var out strings.Builder
	err := Deviations(&out, p.Run)
	return out.String(), err
}

type namedObjective struct {
	Name string
	Objective
}

// Objectives are those of the run by name.
func (p htmlPage) Objectives() []namedObjective {
	return []namedObjective{{"RTO", p.RTO}, {"RPO", p.RPO}}
}

type fact struct{ Name, Value string }

// Rows are the facts of the run's head; empty ones are left out.
func (p htmlPage) Rows() []fact {
	said := page{Run: p.Run}
	ended, undo := "Ended", ""
	if p.Status == "unfinished" {
		ended = "Last record"
	}
	if p.Undo != nil {
		undo = said.undo()
	}
	return []fact{{"Run", p.ID}, {"Runbook", p.Runbook}, {"Severity", p.Severity}, {"Impact", p.Impact}, {"Mode", said.mode()}, {"Environment", p.Env},
		{"Input", facts(p.Input)}, {"Operator", p.Operator}, {"Detected", stamp(p.Detected)}, {"Started", stamp(p.Started)}, {ended, stamp(p.Ended)},
		{"Undo", undo}, {"drhost", p.Version}}
}
