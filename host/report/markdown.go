package report

import (
	"bufio"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
)

// Markdown writes the report that a person hands in.
func Markdown(w io.Writer, r *Run) error {
	out := bufio.NewWriter(w)
	p := page{out, r}
	p.head()
	p.objectives()
	p.time()
	if p.Plan != nil {
		if err := p.planned(); err != nil {
			return err
		}
	} else if err := p.timeline(); err != nil {
		return err
	}
	p.changes()
	p.deviations()
	p.approvals()
	p.evidence()
	p.notes()
	p.events()
	p.verify()
	return out.Flush()
}

type page struct {
	*bufio.Writer
	*Run
}

func (p page) say(format string, args ...any) { fmt.Fprintf(p.Writer, format+"\n", args...) }

// outcome is the run's result in a word or two.
func (r *Run) outcome() string {
	switch {
	case r.Status == "unfinished":
		return "not finished"
	case r.Status != "done":
		return r.Status
	case r.Mode == "plan":
		return "planned"
	case r.Mode == "run" && r.RTO.Target != "":
		return "recovered"
	case r.Mode == "drill":
		return "drill done"
	}
	return "done"
}

func (p page) head() {
	word := p.outcome()
	p.say("# %s: %s\n", prose(p.Title), word)
	line := "**" + strings.ToUpper(word[:1]) + word[1:] + "**"
	if p.Mode != "plan" {
		line += " after " + p.Clock.Live.String()
	}
	if p.RTO.Target != "" && p.RTO.HasMeasure {
		line += fmt.Sprintf(" (objective %s: %s)", target(p.RTO.Target), p.RTO.Verdict)
	}
	p.say("%s.", line)
	if p.Message != "" {
		p.say("%s", prose(p.Message))
	}
	if p.Fault != nil {
		p.say("\n> %s: %s", p.Fault.Kind, prose(p.Fault.Error()))
	}
	for _, g := range p.BreakGlass {
		p.say("\n> **BREAK-GLASS** by %s at %s: %s. Gone past: %s", prose(g.By), stamp(g.At), prose(g.Justification), prose(g.What))
	}
	p.say("\n| | |\n|---|---|")
	row := func(name, value string) {
		if value != "" {
			p.say("| %s | %s |", name, cell(value))
		}
	}
	row("Run", p.ID)
	row("Runbook", p.Runbook)
	row("Severity", p.Severity)
	row("Impact", p.Impact)
	row("Mode", p.mode())
	row("Environment", p.Env)
	row("Input", facts(p.Input))
	row("Operator", p.Operator)
	row("Detected", stamp(p.Detected))
	row("Started", stamp(p.Started))
	if p.Status == "unfinished" {
		row("Last record", stamp(p.Ended))
	} else {
		row("Ended", stamp(p.Ended))
	}
	if p.Undo != nil {
		row("Undo", p.undo())
	}
	row("drhost", p.Version)
}

// undo is how far the run was taken back.
func (p page) undo() string {
	switch p.Undo.Status {
	case "asked":
		return "not begun: nobody has consented"
	case "unfinished":
		return "not finished; consented to by " + p.Undo.By
	}
	return p.Undo.Status + ": " + p.Undo.Message + "; consented to by " + p.Undo.By
}

func (p page) mode() string {
	text := p.Mode
	if p.Drill != "" {
		text += ": " + p.Drill
	}
	if p.World != "" {
		text += ", in the simulated world " + p.World
	}
	if p.Speed > 1 {
		text += fmt.Sprintf(", provider latencies %g times faster", p.Speed)
	}
	return text
}

func (p page) objectives() {
	p.say("\n## Objectives\n\n| Objective | Target | Measured | Verdict | Basis |\n|---|---|---|---|---|")
	for _, o := range []struct {
		name string
		Objective
	}{{"RTO", p.RTO}, {"RPO", p.RPO}} {
		measured := "-"
		if o.HasMeasure {
			measured = o.Measured.String()
			if o.Wall != o.Measured {
				measured += fmt.Sprintf(" (the drill itself took %s)", o.Wall)
			}
		}
		p.say("| %s | %s | %s | **%s** | %s |", o.name, target(o.Target), measured, o.Verdict, cell(o.Basis))
	}
}

func (p page) time() {
	if p.Mode == "plan" {
		return
	}
	p.say("\n## Where the time went\n\n| Phase | Time |\n|---|---|")
	p.say("| Detected until started | %s |", p.Clock.Detect)
	p.say("| Waiting for people | %s |", p.Clock.People)
	p.say("| Acting and verifying | %s |", p.Clock.Act)
	p.say("| **From detection to end** | **%s** |", p.Clock.Live)
	if p.Clock.Cut > 0 {
		p.say("\nThe drill shortened waits for providers by %s along its longest path; every time here has them added back.", p.Clock.Cut)
	}
}

func (p page) timeline() error {
	p.say("\n## Timeline\n\n```text")
	if err := Tree(p.Writer, p.Run, Style{Width: 100}); err != nil {
		return err
	}
	p.say("```")
	if len(p.Judgement) == 0 {
		return nil
	}
	p.say("\n## What the drill expected\n\n```text")
	if err := tree(p.Writer, p.Judgement, Style{Width: 100}); err != nil {
		return err
	}
	p.say("```")
	return nil
}

func (p page) changes() {
	title := "What was changed"
	if p.Mode == "plan" {
		title = "What would be changed"
	}
	p.say("\n## %s\n", title)
	if len(p.Changes) == 0 {
		p.say("Nothing.")
		return
	}
	p.say("| # | Change | Call | Result | Took |\n|---|---|---|---|---|")
	for i, c := range p.Changes {
		result, took := changeResult(c), c.Live.String()
		if c.State == "unknown" {
			result, took = "**unknown**: no answer recorded", "-"
		}
		what := cell(c.Title)
		if c.Effect == "destroys" {
			what += " (**destroys**)"
		}
		p.say("| %d | %s | `%s` | %s | %s |", i+1, what, cell(c.Call), result, took)
	}
}

// changeResult is what became of a change.
func changeResult(c *Node) string {
	switch {
	case c.State == "unknown":
		return "unknown: no answer recorded"
	case c.State == "failed" && c.Fault != nil:
		return "failed: " + string(c.Fault.Kind)
	case c.Settled != "":
		return c.State + ", settled by " + c.Settled
	}
	return c.State
}

func (p page) approvals() {
	if len(p.Approvals) == 0 {
		return
	}
	p.say("\n## Approvals and answers\n\n| Question | Answer | By | At | Waited |\n|---|---|---|---|---|")
	for _, a := range p.Approvals {
		answer, at := a.Answer, stamp(a.Ended)
		if answer == "" {
			answer, at = "none yet", "-"
		}
		by := a.By
		if a.Signed != "" {
			by += ", signed with " + a.Signed
		}
		if a.Reason != "" {
			answer += ", " + a.Reason
		}
		p.say("| %s | %s | %s | %s | %s |", cell(a.Title), cell(answer), cell(by), at, a.Wall)
	}
}

func (p page) evidence() {
	if len(p.Evidence) == 0 {
		return
	}
	p.say("\n## Evidence\n")
	for _, e := range p.Evidence {
		p.say("- %s: %s", stamp(e.At), prose(e.said()))
	}
}

func (p page) notes() {
	if len(p.Notes) == 0 {
		return
	}
	p.say("\n## Notes\n")
	for _, n := range p.Notes {
		p.say("- %s: %s", stamp(n.Started), prose(n.Title))
	}
}

// events are what happened to the run itself.
func (p page) events() {
	if len(p.Faults) > 0 {
		p.say("\n## Faults injected\n")
		for _, f := range p.Faults {
			text := "`" + f.Fault + "`"
			if len(f.Args) > 0 {
				text += " " + prose(facts(f.Args))
			}
			p.say("- %s: %s", stamp(f.At), text)
		}
	}
	if len(p.Interruptions)+len(p.Edits)+len(p.Repairs) == 0 {
		return
	}
	p.say("\n## Interruptions and edits\n")
	for _, i := range p.Interruptions {
		p.say("- Interrupted at %s; taken over by %s on %s after %s.", stamp(i.From), prose(i.By), prose(i.Host), i.Lost)
	}
	for _, e := range p.Edits {
		from := "outside of the steps"
		if e.Step != "" {
			from = "from step " + strconv.Quote(strings.Trim(e.Step, `"`)) + " on"
		}
		p.say("- The runbook was edited (%s) %s, accepted by %s.", prose(strings.Join(e.Files, ", ")), prose(from), prose(e.By))
		for _, line := range e.Touches {
			p.say("  - %s", prose(line))
		}
		if e.Diff != "" {
			p.say("\n```diff\n%s\n```\n", strings.TrimRight(e.Diff, "\n"))
		}
	}
	for _, c := range p.Repairs {
		p.say("- A torn last line of %s was cut off the journal.", plural(c.Bytes, "byte"))
	}
}

func (p page) verify() {
	p.say("\n## How to verify\n")
	p.say("This report was made from the run's journal and nothing else: %s, of which the last has the hash\n`%s`.", plural(p.Records, "record"), p.Head)
	p.say("`drhost verify %s` checks that no line of it was changed. The runbook that ran is kept beside it in\n`%s`; its hash is `%s`.",
		p.ID, filepath.Join("runs", p.ID, "source"), p.SourceHash)
}
