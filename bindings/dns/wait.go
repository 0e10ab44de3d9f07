package dns

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

// Propagation is the end of a wait for a change.
type Propagation struct {
	OK      bool          `lua:"ok" doc:"true: the servers that count agree."`
	Elapsed time.Duration `lua:"elapsed" doc:"How long it took."`
	Servers []Row         `lua:"servers" doc:"What each server answered last."`
}

type waitArgs struct {
	Name    string        `lua:"name" doc:"Name to ask for."`
	Type    string        `lua:"type" enum:"A,AAAA,CNAME,MX,TXT,NS,SOA,SRV,CAA,PTR" default:"A" doc:"Type of the records."`
	Expect  []string      `lua:"expect" doc:"What it should answer: all of it, in any order."`
	Within  time.Duration `lua:"within" default:"10m" doc:"How long to wait."`
	Every   time.Duration `lua:"every" default:"5s" doc:"How long to pause between two rounds of questions."`
	Require string        `lua:"require" enum:"authoritative,all" default:"authoritative" doc:"Whose answers count: the responsible servers alone, or the resolvers too, which may remember the old answer until its TTL is over."`
}

var waitPropagated = binding.Func[*Client, waitArgs, Propagation]{
	Name: "wait_propagated", Effect: binding.Reads,
	Doc: "Wait until every responsible server that can be reached answers what is expected, following aliases into their zones. At least one has to be reached; " +
		"the others are named in the result. Resolvers are asked too, but count only with require = \"all\".",
	Raises:  []fault.Kind{fault.Timeout, fault.Invalid, fault.NotFound, fault.Unavailable},
	Example: `dns.wait_propagated { name = "hobby.webhost.systems", type = "A", expect = { "203.0.113.11" }, within = "10m" }`,
	Target:  "name",
	Call:    (*Client).waitPropagated,
}

func (c *Client) waitPropagated(ctx context.Context, a waitArgs) (Propagation, error) {
	op := fmt.Sprintf("wait until %s answers %s", plain(a.Name), strings.Join(a.Expect, ", "))
	s, err := c.survey(a.Name, a.Type, a.Expect)
	if err != nil {
		return Propagation{}, err
	}
	if len(a.Expect) == 0 {
		return Propagation{}, fault.New(fault.Invalid, "nothing is expected").WithOp("wait until %s is propagated", s.name).
			WithHint("say what it should answer: expect = { \"203.0.113.11\" }")
	}
	outer := ctx
	ctx, meter := clock.WithMeter(ctx)
	start := c.clock.Now()
	elapsed := func() time.Duration { return c.clock.Now().Sub(start) + meter.Total() }
	var last []Row
	var trouble error
	err = clock.Poll(ctx, c.clock, a.Within, max(a.Every, 100*time.Millisecond), func(ctx context.Context) (bool, error) {
		rows, err := s.rows(ctx)
		if err != nil {
			if f := fault.As(err); !f.Transient || outer.Err() != nil {
				return false, err
			}
			trouble = err // resolvers may come back
			return false, nil
		}
		last, trouble = rows, nil
		agreed, missing := tally(rows, a.Require)
		binding.Progress(ctx, "%s: %d of %d servers agree", s.name, len(rows)-missing, len(rows))
		return agreed, nil
	})
	switch {
	case err == nil:
		return Propagation{OK: true, Elapsed: elapsed().Round(time.Millisecond), Servers: last}, nil
	case errors.Is(err, clock.ErrExpired), errors.Is(outer.Err(), context.DeadlineExceeded):
		return Propagation{}, overdue(elapsed(), a, last, trouble).WithOp("%s", op)
	case outer.Err() != nil:
		return Propagation{}, stopped(outer).WithOp("%s", op)
	}
	return Propagation{}, fault.As(err).WithOp("%s", op)
}

// tally says whether those that count agree, and how many of all do not. A
// responsible server that cannot be reached does not hold the others up:
// resolvers pass it over too.
func tally(rows []Row, require string) (agreed bool, missing int) {
	reached, agreed := false, true
	for _, r := range rows {
		if !r.OK {
			missing++
		}
		if r.Role == "authoritative" && r.Problem == "" {
			reached = true
		}
		counts := (r.Role == "authoritative" && r.Problem == "") || (r.Role == "resolver" && require == "all")
		if counts && !r.OK {
			agreed = false
		}
	}
	return agreed && reached, missing
}

// overdue is the fault of a wait that was in vain: it says who answers what.
// It does not pass by waiting, which is what was done.
func overdue(after time.Duration, a waitArgs, rows []Row, trouble error) *fault.Fault {
	var parts []string
	for _, r := range rows {
		if !r.OK {
			parts = append(parts, r.brief())
		}
	}
	if trouble != nil {
		parts = append(parts, fault.As(trouble).Message)
	}
	if len(parts) == 0 {
		parts = []string{"no server was asked in time"}
	}
	f := fault.New(fault.Timeout, "not so after %s; %s", after.Round(time.Second), strings.Join(parts, "; ")).NothingDone()
	f.Transient = false
	f.Hint = "a proxied record shows the proxy's addresses: verify that with cloudflare.verify_records"
	if a.Require == "all" {
		f.Hint = "resolvers remember the old answer until its TTL is over; require = \"authoritative\" does not wait for them"
	}
	return f
}
