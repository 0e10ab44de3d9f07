package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/approval"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/journal"
)

// ApproveCall is the call under which the approvals of a runbook are journaled.
const ApproveCall = "host.approve"

// Beforehand ends the name of who approved with --yes, before being asked. It
// is the same person who may be asked later.
const Beforehand = " (--yes)"

// HasApproved tells whether by is among the people given.
func HasApproved(given []string, by string) bool {
	return slices.ContainsFunc(given, func(name string) bool {
		return strings.TrimSuffix(name, Beforehand) == strings.TrimSuffix(by, Beforehand)
	})
}

// Signatures are the answers that people sign, on this machine or another.
type Signatures interface {
	// Names are the people who may answer.
	Names() []string
	// Answers returns the answers to q that are signed as they have to be, a
	// person's once, and why others do not count.
	Answers(q approval.Question) (answers []approval.Signed, refused []string)
	// Check tells why an answer that was counted in an earlier life does not
	// count any more; nil: it does.
	Check(q approval.Question, s approval.Signed) error
}

// question is one that was put, with the consent it has got so far.
type question struct {
	journal.Approval                    // as asked; Asked is set
	given            []string           // who approved
	answers          []journal.Approval // of earlier lives
	enough           bool               // somebody broke the glass: nobody else is needed
}

// recall takes in a question or an answer of an earlier life.
func (c *cursor) recall(r journal.Record) error {
	a, err := journal.Decode[journal.Approval](r)
	if err != nil || a.Call == "" {
		return err // journals of older versions name no call: they are asked anew
	}
	if r.Kind == journal.ApprovalAsked {
		a.Asked = r.Hash
		c.asked[a.Call] = &question{Approval: a}
		return nil
	}
	if q := c.asked[a.Call]; q != nil && a.Asked == q.Asked {
		if !HasApproved(q.given, a.By) {
			q.given = append(q.given, a.By)
			q.answers = append(q.answers, a)
		}
		if a.Answer != approval.Approved {
			delete(c.asked, a.Call)
		}
		q.enough = q.enough || a.BreakGlass != ""
	}
	return nil
}

// Approve asks the operator and journals question and answer; it is called
// without the baton. A refusal is a Stop.
func (g *Gate) Approve(ctx context.Context, key string, q Question, needs int) (Answer, error) {
	asked, err := g.put(ctx, key, q, needs, false, 0)
	if err != nil {
		return Answer{}, err
	}
	return g.askOperator(ctx, asked, q)
}

// Gather gets the consent of needs different people within the time given (0:
// no limit), and returns who they are. It is called without the baton. What was approved in an earlier life of the run is not asked for
// again. A refusal, and no answer in time, are a Stop.
func (g *Gate) Gather(ctx context.Context, key string, q Question, needs int, within time.Duration) ([]string, error) {
	signing := g.o.Signatures != nil
	asked, err := g.standing(g.earlier(ctx, q, needs, signing), needs, within)
	if err != nil {
		return nil, err
	}
	if asked == nil {
		if asked, err = g.put(ctx, key, q, needs, signing, within); err != nil {
			return nil, err
		}
	}
	if asked.enough || len(asked.given) >= needs {
		return asked.given, nil
	}
	if g.o.Rules.BreakGlass != "" && (signing || needs > 1) {
		return g.breakGlass(asked)
	}
	late := &Stop{Why: Nobody}
	ctx, stop := deadline(ctx, g.timeLeft(asked, within), late)
	defer stop()
	if signing {
		err = g.collect(ctx, asked, needs, within)
	} else {
		err = g.askInTurn(ctx, asked, q, needs)
	}
	if errors.Is(err, late) {
		return nil, g.nobodyAnswered(asked, needs, within)
	}
	return asked.given, err
}

// earlier is the question as an earlier life of the run has put it; nil when
// there was none like it.
func (g *Gate) earlier(ctx context.Context, q Question, needs int, signing bool) *question {
	call := callOf(ctx)
	g.asking.Lock()
	defer g.asking.Unlock()
	old := g.cursor.asked[call]
	delete(g.cursor.asked, call)
	if old != nil && old.Text == g.CleanText(q.Text) && old.Signing == signing && old.Needs == needs {
		return old
	}
	return nil
}

// put journals a question.
func (g *Gate) put(ctx context.Context, key string, q Question, needs int, signing bool, within time.Duration) (*question, error) {
	a := journal.Approval{Key: key, Text: g.CleanText(q.Text), Site: q.Site, Needs: needs, Call: callOf(ctx), Signing: signing, Until: g.until(within)}
	r, err := g.append(journal.ApprovalAsked, a, signing)
	a.Asked, a.Signing = r.Hash, signing
	return &question{Approval: a}, err
}

// answer journals what was answered to asked.
func (g *Gate) answer(asked *question, set func(*journal.Approval)) error {
	a := asked.Approval
	a.Signing, a.Until = false, nil
	set(&a)
	return g.Append(journal.ApprovalGiven, a, true)
}

// askOperator puts the question to whoever is at the run.
func (g *Gate) askOperator(ctx context.Context, asked *question, q Question) (Answer, error) {
	q.Text, q.Detail, q.Given = asked.Text, g.cleanList(q.Detail), asked.given
	answer, err := g.o.Operator.Approve(ctx, q)
	if errors.Is(err, ErrNobody) && q.Needs > 1 {
		return answer, lacking(asked, q.Needs)
	}
	if errors.Is(err, ErrNobody) {
		return answer, &Stop{Why: Nobody, Err: err, Text: fmt.Sprintf("%s: %q needs an approval and nobody is there to give it; go on with %s", q.Site, q.Text, q.remedy())}
	}
	if err != nil {
		return answer, Stopped(ctx, err)
	}
	if err := g.answer(asked, func(a *journal.Approval) { a.Answer, a.By = answer.Text, answer.By }); err != nil {
		return answer, err
	}
	if answer.Text != approval.Approved {
		return answer, deniedBy(asked, answer.By)
	}
	return answer, nil
}

func deniedBy(asked *question, who string) error {
	return &Stop{Why: Refused, Text: fmt.Sprintf("%s: %q was denied by %s", asked.Site, asked.Text, who)}
}

// askInTurn asks at the run until needs different people have approved.
func (g *Gate) askInTurn(ctx context.Context, asked *question, q Question, needs int) error {
	q.Needs = needs
	for len(asked.given) < needs {
		a, err := g.askOperator(ctx, asked, q)
		if err != nil {
			return err
		}
		if HasApproved(asked.given, a.By) {
			return lacking(asked, needs)
		}
		asked.given = append(asked.given, a.By)
	}
	return nil
}

// lacking says that an approval lacks people, and how they can give theirs.
func lacking(asked *question, needs int) error {
	given := "nobody"
	if len(asked.given) > 0 {
		given = strings.Join(asked.given, ", ")
	}
	return &Stop{Why: Nobody, Err: ErrNobody, Text: fmt.Sprintf("%s: %q needs the approval of %d different people, and %s has approved so far; "+
		"another one resumes the run, with --operator and a name; where drhost.toml names [[approvers]], people sign with `drhost approve`", asked.Site, asked.Text, needs, given)}
}

// collect waits until needs approvers have signed.
func (g *Gate) collect(ctx context.Context, asked *question, needs int, within time.Duration) error {
	names := g.o.Signatures.Names()
	if len(names) < needs {
		return &Stop{Why: Nobody, Text: fmt.Sprintf("%s: %q needs %d different people, and drhost.toml names %d as [[approvers]]: %s",
			asked.Site, asked.Text, needs, len(names), strings.Join(names, ", "))}
	}
	for {
		answers, refused := g.answers(asked)
		if err := g.complain(asked, refused); err != nil {
			return err
		}
		for _, s := range answers {
			if err := g.count(asked, s); err != nil {
				return err
			}
		}
		if len(asked.given) >= needs {
			return nil
		}
		lacking := fmt.Sprintf("%d of %d signed approvals so far%s; `drhost approve %s` gives one (%s may)", len(asked.given), needs,
			inBrackets(asked.given), g.o.Run, strings.Join(names, ", "))
		if !g.o.Attended && within == 0 {
			return &Stop{Why: Nobody, Err: ErrNobody, Text: fmt.Sprintf("%s: %q waits for people: %s. Then resume", asked.Site, asked.Text, lacking)}
		}
		binding.Progress(ctx, "%s", lacking)
		if err := (clock.System{}).Sleep(ctx, lookAgain); err != nil {
			return Stopped(ctx, err)
		}
	}
}

func inBrackets(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return " (" + strings.Join(names, ", ") + ")"
}

// count journals a signed answer, once.
func (g *Gate) count(asked *question, s approval.Signed) error {
	by := s.Statement.By
	if slices.Contains(asked.given, by) && s.Statement.Answer == approval.Approved {
		return nil
	}
	key, err := s.Verify()
	if err != nil {
		return err // Answers verified it: a fault of drhost itself
	}
	err = g.answer(asked, func(a *journal.Approval) {
		a.Answer, a.By = s.Statement.Answer, by
		a.Signed = &journal.Signature{At: s.Statement.At, PublicKey: s.PublicKey, Fingerprint: approval.Fingerprint(key), Signature: s.Signature}
	})
	if err != nil {
		return err
	}
	if s.Statement.Answer == approval.Denied {
		return deniedBy(asked, by)
	}
	asked.given = append(asked.given, by)
	return nil
}

// complain journals answers that do not count: somebody tried.
func (g *Gate) complain(asked *question, refused []string) error {
	for _, why := range refused {
		if !g.told.first(asked.Asked + why) {
			continue
		}
		if err := g.Append(journal.Note, journal.NoteText{Text: why, Site: asked.Site, Form: "note"}, false); err != nil {
			return err
		}
	}
	return nil
}

// breakGlass goes on without the people who are needed.
func (g *Gate) breakGlass(asked *question) ([]string, error) {
	by := g.o.By + " (break-glass)"
	err := g.answer(asked, func(a *journal.Approval) {
		a.Answer, a.By, a.BreakGlass = approval.Approved, by, g.CleanText(g.o.Rules.BreakGlass)
	})
	return append(asked.given, by), err
}
