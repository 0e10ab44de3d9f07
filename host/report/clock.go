package report

import (
	"fmt"
	"sort"
	"time"

	"github.com/webhost-systems/drhost/host/journal"
)

// close ends what is still open with the run and works out the wall and live
// time of n and everything below. It returns what was cut off inside n.
//
// Live time is real time and what a drill's speed cut off, added along the
// tree: in sequence the cuts add up, of parallel branches the one that would
// have ended last counts.
func (b *builder) close(n *Node) time.Duration {
	extra := n.cut
	switch {
	case n.Form == "parallel" || n.Form == "each":
		extra += b.branches(n.Children)
	default:
		for _, c := range n.Children {
			extra += b.close(c)
		}
	}
	switch {
	case n.Form == "call": // as measured; nothing is known of one without an outcome
	case n == b.after: // no time of its own
	case n.Ended.IsZero(): // the root, and what was open when the journal ended
		n.Wall = Span(positive(b.run.Ended.Sub(n.Started)))
	default:
		n.Wall = Span(positive(n.Ended.Sub(n.Started)))
	}
	n.Live = n.Wall + Span(extra)
	return extra
}

// branches returns how much later the last of several branches would have
// ended without cuts. A branch that began after others had ended (each with
// at_once) waited for one of them, so it begins later by as much as the most
// delayed of these: never too early, which would flatter.
func (b *builder) branches(children []*Node) time.Duration {
	type span struct{ start, end, liveEnd time.Time }
	var spans []span
	var sequence time.Duration // what is no branch: notes, approvals
	sort.SliceStable(children, func(i, j int) bool { return children[i].Started.Before(children[j].Started) })
	for _, c := range children {
		extra := b.close(c)
		if c.Form != "branch" {
			sequence += extra
			continue
		}
		s := span{start: c.Started, end: c.Started.Add(time.Duration(c.Wall))}
		var delay time.Duration
		for _, before := range spans {
			if !before.end.After(s.start) {
				delay = max(delay, before.liveEnd.Sub(before.end))
			}
		}
		s.liveEnd = s.end.Add(extra + delay)
		spans = append(spans, s)
	}
	var end, liveEnd time.Time
	for _, s := range spans {
		if s.end.After(end) {
			end = s.end
		}
		if s.liveEnd.After(liveEnd) {
			liveEnd = s.liveEnd
		}
	}
	return positive(liveEnd.Sub(end)) + sequence
}

// measure fills in the run's clock and objectives.
func (b *builder) measure() {
	r := b.run
	wall := positive(r.Ended.Sub(r.Detected))
	cut := time.Duration(b.root.Live - b.root.Wall)
	detect := positive(r.Started.Sub(r.Detected))
	people := b.people()
	live := wall + cut
	r.Clock = Clock{Wall: Span(wall), Live: Span(live), Cut: Span(cut), Detect: Span(detect), People: Span(people),
		Act: Span(positive(live - detect - people))}
	b.judgeRTO()
	b.judgeRPO()
}

// people is how long at least one question to a person was open.
func (b *builder) people() time.Duration {
	asked := append([]*Node{}, b.run.Approvals...)
	sort.SliceStable(asked, func(i, j int) bool { return asked[i].Started.Before(asked[j].Started) })
	var total time.Duration
	var until time.Time
	for _, a := range asked {
		if journal.OfUndo(a.Path) {
			continue // the recovery did not wait for it
		}
		from, to := a.Started, a.Started.Add(time.Duration(a.Wall))
		if from.Before(until) {
			from = until
		}
		if to.After(from) {
			total += to.Sub(from)
			until = to
		}
	}
	return total
}

func (b *builder) judgeRTO() {
	r := b.run
	o := &r.RTO
	o.Measured, o.Wall = r.Clock.Live, r.Clock.Wall
	switch {
	case r.Mode == "plan":
		o.Verdict, o.Measured, o.Wall = "not measured", 0, 0
		o.Basis = "a plan changes nothing"
	case r.Status != "done":
		o.HasMeasure, o.Verdict = true, "not reached"
		o.Basis = "from detection to the end of the journal, without a recovery"
	default:
		o.HasMeasure, o.Basis = true, "from detection to the end of the run"
		o.Verdict = verdict(o.Target, time.Duration(o.Measured))
	}
}

func verdict(target string, measured time.Duration) string {
	if target == "" {
		return "no target"
	}
	limit, err := time.ParseDuration(target)
	if err != nil {
		return "no target"
	}
	if measured > limit {
		return "missed"
	}
	return "met"
}

// judgeRPO takes the worst proof: with several databases the one that lost
// most decides. Data is lost from the proven moment to the fault; where the
// moment of the fault is not known, to the detection, which is later.
func (b *builder) judgeRPO() {
	o := &b.run.RPO
	if len(b.proofs) == 0 || b.run.Mode == "plan" {
		o.Verdict, o.Basis = "not measured", "the run holds no evidence of how far the data goes back"
		return
	}
	o.HasMeasure = true
	for i, p := range b.proofs {
		at, what := b.faultMoment(p)
		lost := Span(positive(at.Sub(p.until)))
		if i == 0 || lost > o.Measured {
			o.Measured = lost
			o.Basis = fmt.Sprintf("data up to %s, %s %s", stamp(p.until), what, stamp(at))
			if p.text != "" {
				o.Basis = p.text + ": " + o.Basis
			}
		}
	}
	o.Wall = o.Measured
	o.Verdict = verdict(o.Target, time.Duration(o.Measured))
}

func (b *builder) faultMoment(p proof) (time.Time, string) {
	if !p.fault.IsZero() {
		return p.fault, "fault at"
	}
	for _, f := range b.run.Faults {
		if !f.At.IsZero() && !f.At.After(b.run.Detected) {
			return f.At, "fault injected at"
		}
	}
	return b.run.Detected, "detected at"
}
