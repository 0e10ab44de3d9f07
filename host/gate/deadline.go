package gate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/approval"
	"github.com/webhost-systems/drhost/host/journal"
)

// until is the moment in which the time for an answer runs out; nil: never.
// People think no faster in a simulated world: its speed shortens no time of
// theirs.
func (g *Gate) until(within time.Duration) *time.Time {
	if within <= 0 {
		return nil
	}
	at := g.o.Clock.Now().Add(within).UTC()
	return &at
}

// timeLeft is how much of the time for an answer is left. A clock that was set
// back does not prolong it.
func (g *Gate) timeLeft(asked *question, within time.Duration) time.Duration {
	if within <= 0 || asked.Until == nil {
		return within
	}
	return max(min(asked.Until.Sub(g.o.Clock.Now()), within), time.Nanosecond)
}

// standing is what an earlier life's question has come to: nil when it has to
// be asked anew, because its time ran out while nobody ran this. Answers that
// were signed in time count all the same.
func (g *Gate) standing(asked *question, needs int, within time.Duration) (*question, error) {
	if asked == nil {
		return nil, nil
	}
	if err := g.countedBefore(asked); err != nil {
		return nil, err
	}
	if asked.enough || len(asked.given) >= needs || asked.Until == nil || g.o.Clock.Now().Before(*asked.Until) {
		return asked, nil
	}
	if g.o.Signatures != nil {
		answers, refused := g.answers(asked)
		if err := g.complain(asked, refused); err != nil {
			return nil, err
		}
		for _, s := range answers {
			if err := g.count(asked, s); err != nil {
				return nil, err
			}
		}
		if len(asked.given) >= needs {
			return asked, nil
		}
	}
	return nil, g.answer(asked, func(a *journal.Approval) { a.Answer = unanswered })
}

// unanswered is the answer of nobody.
const unanswered = "unanswered"

// countedBefore looks once more at the signed answers of earlier lives: who is
// no approver any more, or has got another key, does not count any more.
func (g *Gate) countedBefore(asked *question) error {
	if g.o.Signatures == nil || asked.enough {
		return nil
	}
	for _, a := range asked.answers {
		why := g.o.Signatures.Check(g.asSigned(asked), signedOf(g.asSigned(asked), a))
		if why == nil {
			continue
		}
		asked.given = slices.DeleteFunc(asked.given, func(by string) bool { return by == a.By })
		if err := g.complain(asked, []string{fmt.Sprintf("the approval of %s does not count any more: %v", a.By, why)}); err != nil {
			return err
		}
	}
	return nil
}

// asSigned is the question as people sign it.
func (g *Gate) asSigned(asked *question) approval.Question {
	return approval.Question{Run: g.o.Run, Key: asked.Call, Text: asked.Text, Needs: asked.Needs, Asked: asked.Asked}
}

// signedOf is an answer of the journal as it was signed.
func signedOf(q approval.Question, a journal.Approval) approval.Signed {
	s := approval.Signed{Statement: approval.Statement{Question: q, Answer: a.Answer, By: a.By}}
	if a.Signed != nil {
		s.Statement.At, s.PublicKey, s.Signature = a.Signed.At, a.Signed.PublicKey, a.Signed.Signature
	}
	return s
}

// answers are the signed answers that count. Once the time has run out those
// count that were signed in time: whoever signs could write any time, but only
// into their own answer.
func (g *Gate) answers(asked *question) (answers []approval.Signed, refused []string) {
	answers, refused = g.o.Signatures.Answers(g.asSigned(asked))
	if asked.Until == nil || g.o.Clock.Now().Before(*asked.Until) {
		return answers, refused
	}
	inTime := answers[:0]
	for _, s := range answers {
		if s.Statement.At.After(*asked.Until) && s.Statement.Answer == approval.Approved {
			refused = append(refused, fmt.Sprintf("the approval of %s came too late: it was signed at %s, and the time ran out at %s",
				s.Statement.By, s.Statement.At.UTC().Format(time.DateTime), asked.Until.UTC().Format(time.DateTime)))
			continue
		}
		inTime = append(inTime, s)
	}
	return inTime, refused
}

// deadline ends ctx with cause when the time is over.
func deadline(ctx context.Context, within time.Duration, cause error) (context.Context, func()) {
	if within <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, within, cause)
}

// nobodyAnswered journals that the time ran out.
func (g *Gate) nobodyAnswered(asked *question, needs int, within time.Duration) error {
	if err := g.answer(asked, func(a *journal.Approval) { a.Answer = unanswered }); err != nil {
		return err
	}
	text := fmt.Sprintf("%s: nobody answered within %s: %q", asked.Site, brief(within), asked.Text)
	if len(asked.given) > 0 {
		text = fmt.Sprintf("%s: only %s answered within %s, and %d people are needed: %q", asked.Site,
			strings.Join(asked.given, ", "), brief(within), needs, asked.Text)
	}
	return &Stop{Why: Nobody, Text: text + "; resume asks again"}
}

// brief writes 10m, not 10m0s.
func brief(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
