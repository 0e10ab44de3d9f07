package cloudflare

import (
	"context"
	"strings"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

type updateRecordArgs struct {
	Zone    string `lua:"zone" doc:"Name of the zone."`
	Name    string `lua:"name" doc:"Name: whole, without the zone, or @ for the zone itself."`
	Type    string `lua:"type" enum:"A,AAAA,CAA,CERT,CNAME,DNSKEY,DS,HTTPS,LOC,MX,NAPTR,NS,OPENPGPKEY,PTR,SMIMEA,SRV,SSHFP,SVCB,TLSA,TXT,URI" default:"A" doc:"Type of the record."`
	From    string `lua:"from,optional" doc:"Content that it has now. The call is refused when no record has it; needed when there are several."`
	Content string `lua:"content" doc:"Address, name or text to answer with."`
	TTL     *int   `lua:"ttl" doc:"Seconds that it may be remembered, 60 to 86400; 1 means automatic. Kept when absent."`
	Proxied *bool  `lua:"proxied" doc:"Whether Cloudflare shall answer with addresses of its own. Kept when absent."`
	Comment string `lua:"comment,optional" doc:"Note to keep with the record. Kept when absent."`
}

var updateRecord = binding.Func[*Client, updateRecordArgs, Change]{
	Name: "update_record", Effect: binding.Mutates,
	Doc:  "Change a DNS record that exists, if wanted only when it still has the content that is expected. It never creates one.",
	Says: "change DNS record {name} {type} of zone {zone} from {from} to {content}",
	Raises: []fault.Kind{fault.NotFound, fault.Conflict, fault.Invalid, fault.Denied, fault.RateLimited,
		fault.Unavailable, fault.Timeout},
	Example: `cloudflare.update_record { zone = "webhost.systems", name = "hobby", type = "A", from = "203.0.113.10", content = "203.0.113.11" }`,
	Target:  "name",
	Call:    (*Client).updateRecord,
	Predict: (*Client).predictUpdate,
	Settled: afterGrace((*Client).updateSettled),
}

func (a updateRecordArgs) asSet() setRecordArgs {
	return setRecordArgs{Zone: a.Zone, Name: a.Name, Type: a.Type, Content: a.Content, TTL: a.TTL, Proxied: a.Proxied, Comment: a.Comment}
}

// choose finds the record that is to be changed.
func (a updateRecordArgs) choose(z Zone, there []Record) (int, error) {
	name, kind := whole(a.Name, z.Name), strings.ToUpper(a.Type)
	op := say("change", kind, name)
	if len(there) == 0 {
		return 0, fault.New(fault.NotFound, "%s has no record of type %s", name, kind).WithOp("%s", op).
			WithHint("cloudflare.set_record creates it when it is not there")
	}
	if a.From == "" {
		return a.asSet().pick(z, there)
	}
	if at := withContent(there, a.From); at >= 0 {
		return at, nil
	}
	if at := withContent(there, a.Content); at >= 0 && a.asSet().met(there[at]) {
		return at, nil
	}
	return 0, fault.New(fault.Conflict, "%s does not answer %s any more, but %s", name, a.From, strings.Join(contents(there, -1), ", ")).
		WithOp("%s", op).WithHint("somebody has changed it: look before you go on")
}

func (c *Client) updateRecord(ctx context.Context, a updateRecordArgs) (Change, error) {
	z, there, err := c.present(ctx, a.Zone, a.Name, a.Type)
	if err != nil {
		return Change{}, before(err)
	}
	at, err := a.choose(z, there)
	if err != nil {
		return Change{}, err
	}
	if a.asSet().met(there[at]) {
		return a.asSet().finished(there, at, false), nil
	}
	change, err := c.alter(ctx, z, there[at], a.asSet())
	if err != nil {
		return Change{}, err
	}
	change.Others = contents(there, at)
	return change, nil
}

func (c *Client) predictUpdate(ctx context.Context, a updateRecordArgs) (Change, error) {
	if binding.IsPlanned(a.Zone) || binding.IsPlanned(a.Name) || binding.IsPlanned(a.From) {
		n := a.asSet().asCreate()
		change := foretold(n.Zone, n.Name, n.Type, n.Content, n.TTL, n.Proxied, n.Comment)
		change.Before = a.From
		return change, nil
	}
	z, there, err := c.present(ctx, a.Zone, a.Name, a.Type)
	if err != nil {
		return Change{}, err
	}
	at, err := a.choose(z, there)
	if err != nil {
		return Change{}, err
	}
	if a.asSet().met(there[at]) {
		return a.asSet().finished(there, at, false), nil
	}
	return a.asSet().foretellChange(there, at), nil
}

// updateSettled says yes when the record is as asked, no when it is as it was
// expected before, and asks a person when it is neither.
func (c *Client) updateSettled(ctx context.Context, a updateRecordArgs) (binding.Settlement[Change], error) {
	z, there, err := c.present(ctx, a.Zone, a.Name, a.Type)
	if err != nil {
		return binding.Settlement[Change]{}, err
	}
	if at := withContent(there, a.Content); at >= 0 && a.asSet().met(there[at]) {
		return binding.Settlement[Change]{Landed: binding.Yes, Result: a.asSet().finished(there, at, true)}, nil
	}
	if _, err := a.choose(z, there); err == nil {
		return binding.Settlement[Change]{Landed: binding.No}, nil
	}
	return binding.Settlement[Change]{Look: "the records of " + whole(a.Name, z.Name) + " are neither as before nor as asked (" +
		strings.Join(contents(there, -1), ", ") + "): dash.cloudflare.com, DNS, Records"}, nil
}
