package host

import (
	"context"
	"fmt"

	"github.com/webhost-systems/drhost/host/gate"
)

// Unattended is an operator who is not there: what --yes and a drill's answers
// allow is answered, everything else is not.
type Unattended struct {
	Yes     bool              // approve what is asked
	Answers map[string]string // text of a question -> answer; also approvals
	By      string            // recorded as who answered
}

// Approve implements gate.Operator.
func (u *Unattended) Approve(_ context.Context, q gate.Question) (gate.Answer, error) {
	if answer, ok := u.Answers[q.Text]; ok {
		yes := answer == "yes" || answer == "approved"
		if q.Type != "" {
			yes = answer == q.Type // a protected name is typed, also in a drill
		}
		if !yes {
			return gate.Answer{Text: "denied", By: u.By}, nil
		}
		by := u.By
		if n := len(q.Given); n > 0 { // who scripts the answers plays everybody
			by = fmt.Sprintf("%s (person %d)", u.By, n+1)
		}
		return gate.Answer{Text: "approved", By: by}, nil
	}
	if u.Yes && q.Type == "" && !q.Destructive && !gate.HasApproved(q.Given, u.By) {
		return gate.Answer{Text: "approved", By: u.By}, nil
	}
	return gate.Answer{}, gate.ErrNobody
}

// Choose implements gate.Operator.
func (u *Unattended) Choose(_ context.Context, q gate.Question) (gate.Answer, error) {
	if answer, ok := u.Answers[q.Text]; ok {
		return gate.Answer{Text: answer, By: u.By}, nil
	}
	return gate.Answer{}, gate.ErrNobody
}

// Settle implements gate.Operator: what became of a mutation only a person can
// say.
func (u *Unattended) Settle(context.Context, gate.Lost) (gate.Verdict, error) {
	return gate.Verdict{}, gate.ErrNobody
}

// Recover implements gate.Operator.
func (u *Unattended) Recover(context.Context, gate.Failure) (gate.Remedy, error) {
	return gate.Remedy{}, gate.ErrNobody
}
