package report

import (
	"bufio"
	"fmt"
	"io"
	"sort"
	"time"

	"github.com/webhost-systems/drhost/host/journal"
)

// Planned is what a plan found, with its figures.
type Planned struct {
	journal.Plan
	MostChanges  int `json:"most_changes"` // on one way
	MostDestroys int `json:"most_destroys"`
	MostPeople   int `json:"most_people"`
	Uncertain    int `json:"uncertain"` // reads of the world before changes
}

func measured(p journal.Plan) *Planned {
	out := &Planned{Plan: p}
	for _, w := range p.Ways {
		destroys := 0
		for _, n := range w.Calls {
			if n >= 0 && n < len(p.Calls) && p.Calls[n].Effect == "destroys" {
				destroys++
			}
		}
		out.MostChanges, out.MostDestroys, out.MostPeople = max(out.MostChanges, len(w.Calls)), max(out.MostDestroys, destroys), max(out.MostPeople, w.People)
	}
	count(p.Tree, func(n journal.PlanNode) {
		if n.Before {
			out.Uncertain++
		}
	})
	return out
}

func count(nodes []journal.PlanNode, see func(journal.PlanNode)) {
	for _, n := range nodes {
		see(n)
		for _, c := range n.Choices {
			count(c.Then, see)
		}
	}
}

// planMade takes in what a plan found. Its reads stand in its tree.
func (b *builder) planMade(p journal.Plan) {
	r := b.run
	r.Plan = measured(p)
	b.root.Children = nil
	for i, c := range p.Calls {
		r.Changes = append(r.Changes, &Node{Form: "call", Title: c.Says, Path: fmt.Sprintf("%s/%d", c.Path, i+1), State: "planned", Started: b.now, Ended: b.now, Call: c.Call,
			Effect: c.Effect, Site: c.Site})
	}
}

// PlanSummary sums a plan up.
func PlanSummary(w io.Writer, r *Run) error {
	p := r.Plan
	out := bufio.NewWriter(w)
	say := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }
	say("\nthis is a plan: nothing was changed")
	say("  ways       %s followed, of which %s well", plural(len(p.Ways), "way"), verb(p.wells(), "ends", "end"))
	if p.LeftOut > 0 {
		say("  LEFT OUT   %s not followed: this plan is not whole", plural(p.LeftOut, "choice"))
	}
	say("  changes    %d at most, %s", p.MostChanges, p.destroying())
	say("  people     %s", times(p.MostPeople))
	if p.Uncertain > 0 {
		say("  reads      %s made of the world as it is now, although changes", plural(p.Uncertain, "read"))
		say("             planned before may alter it")
	}
	say("  objective  %s; %s", target(r.RTO.Target), p.forecast())
	say("  ‹planned›  marks what only the run itself will know")
	if r.Status != "done" {
		say("NO WAY ENDS WELL: mend what is told above, then plan again")
	}
	return out.Flush()
}

// destroying says how many changes cannot be undone.
func (p *Planned) destroying() string {
	if p.MostDestroys == 0 {
		return "none of which destroys anything"
	}
	return verb(p.MostDestroys, "of which DESTROYS SOMETHING", "of which DESTROY SOMETHING")
}

func verb(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func times(n int) string {
	switch n {
	case 0:
		return "nobody is asked"
	case 1:
		return "asked once at most"
	}
	return fmt.Sprintf("asked %d times at most", n)
}

func (p *Planned) wells() int {
	n := 0
	for _, w := range p.Ways {
		if w.Result == "done" {
			n++
		}
	}
	return n
}

// forecast is what earlier runs say of how long it takes.
func (p *Planned) forecast() string {
	if len(p.Earlier) == 0 {
		return "no earlier run or drill to forecast from"
	}
	var all []time.Duration
	for _, e := range p.Earlier {
		all = append(all, seconds(e.Seconds))
	}
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	if len(all) == 1 {
		return fmt.Sprintf("the last one took %s", duration(all[0]))
	}
	return fmt.Sprintf("the last %d took %s to %s", len(all), duration(all[0]), duration(all[len(all)-1]))
}

// Deviations prints how a run deviated from its plan; nothing when it follows
// none.
func Deviations(w io.Writer, r *Run) error {
	if r.Follows == "" {
		return nil
	}
	out := bufio.NewWriter(w)
	if len(r.Deviations) == 0 && len(r.NotDone) == 0 {
		fmt.Fprintf(out, "as planned: every change is in plan %s\n", r.Follows)
	}
	if len(r.Deviations) > 0 {
		fmt.Fprintf(out, "DEVIATIONS from plan %s:\n", r.Follows)
	}
	for _, d := range r.Deviations {
		fmt.Fprintf(out, "  %s: %s (%s): %s\n", d.Site, oneLine(d.Says), d.Effect, oneLine(d.Why))
	}
	if len(r.NotDone) > 0 {
		fmt.Fprintln(out, "planned, but not done:")
	}
	for _, c := range r.NotDone {
		fmt.Fprintf(out, "  %s: %s\n", c.Site, oneLine(c.Says))
	}
	return out.Flush()
}

// deviations is the report's section on the plan that a run follows.
func (p page) deviations() {
	if p.Follows == "" {
		return
	}
	p.say("\n## Deviations from the plan\n\nThe run follows plan `%s`.\n", p.Follows)
	if len(p.Deviations) == 0 {
		p.say("Every change was planned.")
	} else {
		p.say("| At | Where | Change | Effect | Why it is not planned |\n|---|---|---|---|---|")
	}
	for _, d := range p.Deviations {
		p.say("| %s | `%s` | %s | %s | %s |", stamp(d.At), d.Site, cell(d.Says), d.Effect, cell(d.Why))
	}
	if len(p.NotDone) > 0 {
		p.say("\nPlanned, but not done:\n")
	}
	for _, c := range p.NotDone {
		p.say("- %s (`%s`)", prose(c.Says), c.Site)
	}
}

// planned is the report's section on what a plan found.
func (p page) planned() error {
	p.say("\n## The plan\n\n```text")
	if err := PlanTree(p.Writer, p.Plan, Style{Width: 100}); err != nil {
		return err
	}
	if err := PlanSummary(p.Writer, p.Run); err != nil {
		return err
	}
	p.say("```")
	return nil
}
