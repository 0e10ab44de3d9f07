package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/check"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/policy"
	"github.com/webhost-systems/drhost/host/reference"
	"github.com/webhost-systems/drhost/host/report"
	"github.com/webhost-systems/drhost/host/run"
	"github.com/webhost-systems/drhost/host/secret"
	"github.com/webhost-systems/drhost/host/terminal"
)

// Exit codes that the command line uses itself; run holds them all.
const (
	ExitFailed      = run.ExitFailed
	ExitUsage       = run.ExitUsage
	ExitInterrupted = run.ExitInterrupted
	ExitMissed      = run.ExitMissed
	ExitInternal    = run.ExitInternal
)

// Mode is how a run is meant: run, plan or drill.
type Mode = policy.Mode

// New checks every declaration and returns the host.
func New(modules []*binding.Module, std map[string][]byte, worlds Worlds, verbs []string, version string) (*Host, error) {
	catalog, err := binding.NewCatalog(modules...)
	if err != nil {
		return nil, fmt.Errorf("a mistake in a declaration: %w", err)
	}
	return &Host{Catalog: catalog, Std: std, Worlds: worlds, WorldVerbs: verbs, Version: version, Clock: clock.System{}}, nil
}

// KeepOutOfCores keeps the credentials of this process out of what a crash
// leaves behind.
func KeepOutOfCores() error { return secret.KeepOutOfCores() }

// Interruption is the cause with which a run's context is cancelled when a
// person wants it to stop.
func Interruption() error {
	return &gate.Stop{Why: gate.Interrupted, Text: interrupted}
}

const interrupted = "interrupted; `drhost resume` goes on from here"

// Today is the time of day of at, today; yesterday when that is still to come.
func (h *Host) Today(at time.Time) time.Time {
	now := h.Clock.Now()
	at = time.Date(now.Year(), now.Month(), now.Day(), at.Hour(), at.Minute(), 0, 0, time.Local)
	if at.After(now) {
		at = at.AddDate(0, 0, -1)
	}
	return at
}

// IsTerminal tells whether w is a terminal.
func IsTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// View shows a run while it goes.
type View = terminal.View

// AskInput asks a person for an input of a runbook. It answers gate.ErrNobody
// when the person has gone, and never with an empty text.
type AskInput func(ctx context.Context, name, doc, example string) (string, error)

// TerminalOptions say who is at the run and where.
type TerminalOptions struct {
	In      io.Reader
	Out     io.Writer
	Color   bool
	Ask     bool // a person may be asked, when In is a terminal
	Yes     bool
	Answers map[string]string
	Name    string
	Erase   bool // a summary follows on the same terminal: the view leaves nothing
}

// Terminal returns the operator, the view, and how to ask for a missing input
// (nil when nobody is there).
func (h *Host) Terminal(o TerminalOptions) (gate.Operator, View, AskInput) {
	view := terminal.New(o.Out, terminal.Options{Clock: h.Clock, Color: o.Color, Live: terminal.Redraws(o.Out, os.Getenv), Erase: o.Erase})
	if o.Name == "" {
		o.Name = whoami()
	}
	by := o.Name + gate.Beforehand
	if len(o.Answers) > 0 {
		by = "the drill's operator"
	}
	beforehand := &Unattended{Yes: o.Yes, Answers: o.Answers, By: by}
	if !o.Ask || !IsTerminal(o.In) {
		return beforehand, view, nil
	}
	person := terminal.NewPerson(o.In, o.Out, o.Name).Over(view)
	ask := func(ctx context.Context, name, doc, example string) (string, error) {
		for {
			line, err := person.Line(ctx, "%s (%s, such as %s): ", name, doc, example)
			if err != nil || line != "" {
				return line, err
			}
		}
	}
	return &attended{Person: person, beforehand: beforehand}, view, ask
}

// attended answers what was allowed beforehand and asks the person the rest.
type attended struct {
	*terminal.Person
	beforehand *Unattended
}

func (a *attended) Approve(ctx context.Context, q gate.Question) (gate.Answer, error) {
	if answer, err := a.beforehand.Approve(ctx, q); err == nil {
		return answer, nil
	}
	return a.Person.Approve(ctx, q)
}

// Summary prints a run's step tree, its objectives, and where the report lies.
func (h *Host) Summary(w io.Writer, r *Result, color bool) error {
	if err := h.tree(w, r.Report, report.Style{Color: color}); err != nil {
		return err
	}
	for _, g := range r.Report.BreakGlass {
		fmt.Fprintf(w, "BREAK-GLASS by %s: %s (gone past: %s)\n", g.By, g.Justification, g.What)
	}
	if text := ending(r); text != "" && r.Report.Plan == nil {
		fmt.Fprintln(w, text)
	}
	if r.Report.Plan != nil && r.Report.Status == "done" {
		fmt.Fprintf(w, "to run it: drhost run --plan %s\n", r.ID)
	}
	if r.Folder == "" { // it left nothing, see LookVerb
		return nil
	}
	if r.Unwritten != nil {
		_, err := fmt.Fprintf(w, "the report could not be written (%v); once that is mended, `drhost report %s` prints it from the journal\n", r.Unwritten, r.ID)
		return err
	}
	_, err := fmt.Fprintf(w, "report: %s\n", shortPath(filepath.Join(r.Folder, "report.md")))
	return err
}

// tree prints what a run did, with how it deviated from its plan, or a plan.
func (h *Host) tree(w io.Writer, r *report.Run, style report.Style) error {
	if r.Plan == nil {
		return errors.Join(report.Tree(w, r, style), report.Deviations(w, r))
	}
	return errors.Join(report.PlanTree(w, r.Plan, style), report.PlanSummary(w, r))
}

// ending says what became of a run, and how to go on with one that stopped. A
// run that was interrupted, or could not write, has no end in its journal: only
// who ran it knows.
func ending(r *Result) string {
	status, message := r.Report.Status, r.Report.Message
	undo := r.undo()
	if undo != nil {
		status, message = "undo "+undo.Status, undo.Message
	}
	if r.End.Exit == run.ExitInterrupted || r.End.Exit == run.ExitJournal {
		status, message = r.End.Result, r.End.Message
	}
	if message == interrupted || message == "" && undo == nil {
		return ""
	}
	text := strings.TrimSuffix(status+": "+message, ": ")
	switch {
	case undo != nil && undo.Status == "done":
		return fmt.Sprintf("undone: %s", undo.Message)
	case undo != nil:
		return fmt.Sprintf("%s\nto go on with taking it back: %s", text, r.Continuation())
	case status != "done" && r.Report.Mode == string(policy.Run):
		if on := r.Continuation(); on != "" {
			text += "\nto go on: " + on
		}
	}
	return text
}

// undo is how the run was taken back; nil when it was not, or when nobody has
// consented, so that it was not begun.
func (r *Result) undo() *report.Undo {
	if u := r.Report.Undo; u != nil && u.Status != "asked" {
		return u
	}
	return nil
}

// Continuation is the command that goes on with a run, or with taking it back,
// after it was interrupted. It is "" for what cannot be gone on with: a plan
// is made anew, a drill's world has ended with the drill, and one that only
// looked leaves nothing.
func (r *Result) Continuation() string {
	switch {
	case r.Report.Mode == string(policy.Plan) || r.Report.Drill != "" || r.Folder == "":
		return ""
	case r.undo() != nil:
		return "drhost undo " + r.ID
	}
	return "drhost resume " + r.ID
}

// shortPath is path relative to the working folder where that is shorter.
func shortPath(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(wd, path); err == nil && len(rel) < len(path) {
		return rel
	}
	return path
}

// WriteReport prints the report as html, md or json.
func (h *Host) WriteReport(w io.Writer, r *Result, format string) error {
	switch format {
	case "json":
		return report.JSON(w, r.Report)
	case "html":
		return report.HTML(w, r.Report)
	}
	return report.Markdown(w, r.Report)
}

// RunTable prints runs, a line each.
func (h *Host) RunTable(w io.Writer, lines []RunLine) error {
	if len(lines) == 0 {
		_, err := fmt.Fprintln(w, "no runs yet")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RUN\tMODE\tENV\tSTATUS\tSTARTED\tTITLE")
	for _, l := range lines {
		if l.Run == nil {
			fmt.Fprintf(t, "%s\t-\t-\tunreadable\t-\t%s\n", l.ID, l.Problem)
			continue
		}
		r := l.Run
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", l.ID, r.Mode, strings.SplitN(r.Env, ":", 2)[0], r.Standing(), r.Started.Local().Format("2006-01-02 15:04"), r.Title)
	}
	return t.Flush()
}

// ListTable prints scripts, a line each.
func (h *Host) ListTable(w io.Writer, list []Listed) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FILE\tFORM\tSEVERITY\tRTO\tRPO\tTITLE")
	for _, l := range list {
		if l.Problem != "" {
			fmt.Fprintf(t, "%s\t-\t-\t-\t-\tdoes not load: %s\n", l.File, l.Problem)
			continue
		}
		objective, _ := l.Head["objective"].(map[string]any)
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", l.File, l.Form, orDash(l.Head["severity"]), orDash(objective["rto"]), orDash(objective["rpo"]), l.Title)
	}
	return t.Flush()
}

func orDash(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return "-"
}

// HasErrors tells whether one of problems keeps a script from running.
func HasErrors(problems []check.Problem) bool {
	for _, p := range problems {
		if p.Severity == check.Error {
			return true
		}
	}
	return false
}

// Reference is the page of a module, or of the runbook words.
func (h *Host) Reference(topic string) ([]byte, error) {
	pages := reference.Pages(h.Catalog)
	var topics []string
	for name := range pages {
		topics = append(topics, strings.TrimSuffix(name, ".md"))
	}
	sort.Strings(topics)
	if page, ok := pages[topic+".md"]; ok {
		return page, nil
	}
	if topic == "" {
		return []byte("topics: " + strings.Join(topics, ", ") + "\n"), nil
	}
	text := fmt.Sprintf("there is no topic %q", topic)
	if near := binding.Nearest(topic, topics); near != "" {
		text += fmt.Sprintf("; did you mean %q?", near)
	}
	return nil, Usage(fmt.Errorf("%s; there are %s", text, strings.Join(topics, ", ")))
}

// InputNames are the inputs of a runbook, as completions "name=".
func (h *Host) InputNames(file string) []string {
	source, err := readSource(file)
	if err != nil {
		return nil
	}
	script, err := h.load(h.bundle(source))
	if err != nil {
		return nil
	}
	declared, _ := script.Head["input"].(map[string]any)
	var names []string
	for name := range declared {
		names = append(names, name+"=")
	}
	sort.Strings(names)
	return names
}

// EnvironmentNames are those of the config and the simulated one.
func (h *Host) EnvironmentNames(start string) []string {
	p, err := h.open(start)
	if err != nil {
		return []string{simulated}
	}
	return append(p.config.Environments(), simulated)
}

// About says what this program is.
func (h *Host) About() map[string]string {
	return map[string]string{"version": h.Version, "go": runtime.Version()}
}

// AskHidden asks on a terminal without showing what is typed.
func AskHidden(in *os.File, out io.Writer, prompt string) (string, error) {
	fmt.Fprint(out, prompt)
	text, err := term.ReadPassword(int(in.Fd()))
	fmt.Fprintln(out)
	return string(text), err
}
